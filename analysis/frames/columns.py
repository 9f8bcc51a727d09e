"""The columns of frames that are not files of a results folder; see `analysis.judging.columns`."""

from __future__ import annotations

from typing import Final

from analysis.judging.columns import columns

#: Frame of `analysis.frames.blocks`.
BLOCKS: Final = columns(
    block=("text", "folder of the block"),
    index=("whole", "place in the schedule, from 0"),
    scenario=("text", "CPU condition"),
    variant=("text", "kernel under test"),
    pair=("whole", "pair of the block"),
    outcome=("text", "valid, void or kernel_failure, as recorded"),
    counts=("truth", "whether it is valid, and has a valid repetition after its traces were checked"),
    reasons=("list of texts", "why it does not count"),
    failure=("text?", "first line of the failure of the kernel under test"),
    started_utc=("time", "start of the block"),
    boot_id=("text", "boot id of the kernel"),
    release=("text?", "kernel release of this boot"),
    repetitions=("whole", "repetitions recorded"),
    valid_repetitions=("whole", "repetitions that count"),
)

#: Frame of `analysis.frames.pairs`.
PAIRS: Final = columns(
    scenario=("text", "CPU condition"),
    variant=("text", "variant compared with the baseline"),
    metric=("text", "name of the metric"),
    unit=("text", "unit of the metric"),
    pair=("whole", "number of the pair"),
    state=("text", "valid, void, kernel_failure or unfinished; only valid ones are judged"),
    lane=("text?", "device that ran the pair"),
    baseline_block=("text?", "folder of the baseline's block"),
    variant_block=("text?", "folder of the variant's block"),
    baseline_index=("number?", "place of the baseline's block in the schedule"),
    variant_index=("number?", "place of the variant's block in the schedule"),
    baseline_value=("number?", "value of the baseline's block; in void pairs it includes void repetitions"),
    variant_value=("number?", "value of the variant's block"),
    difference=("number?", "variant - baseline"),
    ratio=("number?", "variant / baseline; empty if the baseline is 0"),
    reason=("text?", "why a value is unknown, or why the pair is void"),
)

#: Frame of `analysis.frames.figures`.
FIGURES: Final = columns(
    metric=("text", "name of the metric"),
    value=("number?", "value over the measured window, or the whole trace"),
    unit=("text", "unit of `value`"),
    reason=("text?", "why there is no value; with a value, a caution"),
)

#: Frames of `analysis.frames.TraceFrames`.
THREADS: Final = columns(
    utid=("whole", "the trace processor's id of the thread"),
    tid=("whole", "thread id on the device"),
    comm=("text", "name of the thread"),
    role=("text?", "reclaim, compression, vendor_reclaim or writeback"),
    cpu_ms=("number", "time on a CPU in the measured window"),
    runnable_ms=("number", "run delay (runnable, but not on a CPU) in the measured window"),
)
SWITCHES: Final = columns(
    start_s=("number", "start, from the start of the measured window"),
    index=("whole", "place in the workload, from 0"),
    package=("text", "app brought to the front"),
    launch_state=("text?", "HOT, WARM or COLD"),
    total_time_ms=("number?", "launch time reported by `am start -W`"),
    command_ms=("number", "run time of the launch command"),
    killed_since_last=("truth", "whether the app had died since it was last in front"),
)
STALLS: Final = columns(
    start_s=("number", "start, from the start of the measured window"),
    dur_ms=("number?", "duration; empty if the end was not recorded"),
    comm=("text", "thread in direct reclaim"),
    tid=("whole", "its thread id on the device"),
    role=("text?", "its role in reclaim; metrics exclude reclaim and compression"),
)
AWAKE: Final = columns(
    start_s=("number", "start, from the start of the measured window"),
    dur_ms=("number", "until kswapd reports a further wakeup, or sleeps"),
    comm=("text", "the kswapd thread"),
)
QUEUE: Final = columns(
    start_s=("number", "start of this depth, from the start of the measured window"),
    waiting=("whole", "pages queued whose compression has not started"),
    in_flight=("whole", "pages queued or in compression"),
)
COUNTERS: Final = columns(
    start_s=("number", "time of the reading, from the start of the measured window"),
    name=("text", "counter, such as `vmstat.pswpout`"),
    value=("number", "its value since boot"),
)
