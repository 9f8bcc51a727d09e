"""Every column of the frames that are not a file of the results folder; see `analysis.judging.columns`."""

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
    outcome=("text", "valid, void or kernel_failure, as it was recorded"),
    counts=("truth", "valid, and with a valid repetition left after its traces were read"),
    reasons=("list of texts", "why it does not count"),
    failure=("text?", "first line of what the kernel under test said when it failed"),
    started_utc=("time", "begin of the block"),
    boot_id=("text", "the kernel's own id of this boot"),
    release=("text?", "kernel release of this boot"),
    repetitions=("whole", "repetitions that were recorded"),
    valid_repetitions=("whole", "of those, the ones that count"),
)

#: Frame of `analysis.frames.pairs`.
PAIRS: Final = columns(
    scenario=("text", "CPU condition"),
    variant=("text", "variant that is compared with the baseline"),
    metric=("text", "name of the metric"),
    unit=("text", "unit of the metric"),
    pair=("whole", "number of the pair"),
    state=("text", "valid, void, kernel_failure or unfinished; only valid ones are judged"),
    lane=("text?", "device that ran the pair"),
    baseline_block=("text?", "folder of the baseline's block"),
    variant_block=("text?", "folder of the variant's block"),
    baseline_index=("number?", "place of the baseline's block in the schedule"),
    variant_index=("number?", "place of the variant's block in the schedule"),
    baseline_value=("number?", "the baseline block's one value; of void pairs with void repetitions"),
    variant_value=("number?", "the variant block's one value"),
    difference=("number?", "variant - baseline"),
    ratio=("number?", "variant / baseline; empty where the baseline is 0"),
    reason=("text?", "why a value is not known, or why the pair is void"),
)

#: Frame of `analysis.frames.figures`.
FIGURES: Final = columns(
    metric=("text", "name of the metric"),
    value=("number?", "the figure of the whole trace or of its measured window"),
    unit=("text", "unit of `value`"),
    reason=("text?", "why there is no value; beside a value, a caution"),
)

#: Frames of `analysis.frames.TraceFrames`.
THREADS: Final = columns(
    utid=("whole", "number of the thread in this trace"),
    tid=("whole", "number of the thread on the device"),
    comm=("text", "name of the thread"),
    role=("text?", "reclaim, compression, vendor_reclaim or writeback"),
    cpu_ms=("number", "time on a CPU in the measured window"),
    runnable_ms=("number", "time runnable, but not on a CPU, in the measured window"),
)
SWITCHES: Final = columns(
    start_s=("number", "begin, from the begin of the measured window"),
    index=("whole", "place in the workload, from 0"),
    package=("text", "app that was brought to the front"),
    launch_state=("text?", "HOT, WARM or COLD"),
    total_time_ms=("number?", "launch time as `am start -W` says it"),
    command_ms=("number", "until the launch command came back"),
    killed_since_last=("truth", "whether the app had died since it was last in front"),
)
STALLS: Final = columns(
    start_s=("number", "begin, from the begin of the measured window"),
    dur_ms=("number?", "length; empty where the end was not recorded"),
    comm=("text", "thread that reclaims for itself"),
    tid=("whole", "its number on the device"),
    role=("text?", "its role in reclaim; figures leave reclaim and compression out"),
)
AWAKE: Final = columns(
    start_s=("number", "begin, from the begin of the measured window"),
    dur_ms=("number", "until kswapd's next word: wake again, or sleep"),
    comm=("text", "the kswapd thread"),
)
QUEUE: Final = columns(
    start_s=("number", "from here on, from the begin of the measured window"),
    waiting=("whole", "pages offered whose compression has not begun"),
    in_flight=("whole", "pages offered that are not stored yet"),
)
COUNTERS: Final = columns(
    start_s=("number", "when it was read, from the begin of the measured window"),
    name=("text", "counter, such as `vmstat.pswpout`"),
    value=("number", "its value since boot"),
)
