"""What makes a repetition void: facts of the recording, never a metric."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from foundation.contract import conventions
from foundation.contract.threads import role_of
from harness.capture.samples import Number, Sample

#: A gap between samples longer than this many periods (and than the floor) means that the
#: device hung or the poller never ran.
GAP_PERIODS: Final = 20
GAP_FLOOR_MS: Final = 5000


def longest_gap_ms(begin: Sample, between: Sequence[Sample], end: Sample) -> float:
    """Longest time between two samples of the window, including its edges."""
    times = [begin.t_end_boot_ns, *(sample.t_boot_ns for sample in between), end.t_boot_ns]
    return max((b - a) / 1e6 for a, b in itertools.pairwise(times))


def counter_reasons(
    begin: Sample, between: Sequence[Sample], end: Sample, period_ms: int
) -> tuple[str, ...]:
    """Void reasons from the samples: order, gaps, new or lost threads, counters that fell, no reclaim."""
    if end.t_boot_ns <= begin.t_end_boot_ns:
        return ("the end sample was taken before the begin sample was complete",)
    reasons: list[str] = []
    gap_ms = longest_gap_ms(begin, between, end)
    if gap_ms > max(GAP_PERIODS * period_ms, GAP_FLOOR_MS):
        reasons.append(f"no counters for {gap_ms / 1000:.1f} s (period {period_ms} ms): the device hung")
    for tid, comm in sorted(begin.threads.items()):
        if end.threads.get(tid) != comm:
            reasons.append(f"thread {comm} ({role_of(comm) or 'no role'}, tid {tid}) disappeared")
    for tid, comm in sorted(end.threads.items()):
        if tid not in begin.threads:
            reasons.append(f"thread {comm} ({role_of(comm) or 'no role'}, tid {tid}) appeared")
    for name, value in end.values.items():
        if _is_cumulative(name) and value < begin.values.get(name, value):
            reasons.append(f"counter {name} fell from {begin.values[name]} to {value}")
    swapped = conventions.vmstat("pswpout")
    if end.values.get(swapped, 1) == begin.values.get(swapped, 0):
        reasons.append("no page was swapped out: there was no reclaim to measure")
    return tuple(reasons)


def limit_changes(begin: Sample, between: Sequence[Sample], end: Sample) -> dict[str, str]:
    """By cpufreq policy, how its upper limit changed, in words; empty on a device without cpufreq.

    Thermal and power limits show as a lower scaling_max_freq (kernel: freq_qos requests of
    drivers/thermal/cpufreq_cooling.c), and so do hints of a phone's power service, which writes it.
    """
    changes = {}
    for name in begin.values:
        if not name.endswith("/scaling_max_freq"):
            continue
        seen = _seen(name, begin, between, end)
        if min(seen) < max(seen):
            policy = name.rpartition("/")[0].rpartition("/")[2]
            changes[policy] = f"at times limited to {min(seen):.0f} of {max(seen):.0f} kHz"
    return changes


def cpu_cooling(begin: Sample, between: Sequence[Sample], end: Sample) -> Number | None:
    """The highest state of a CPU's cooling device, above 0 while it limits frequencies; None: not read.

    Source: Documentation/ABI/testing/sysfs-class-thermal (cur_state).
    """
    names = [name for name in begin.values if name.endswith("/cur_state")]
    return max((max(_seen(name, begin, between, end)) for name in names), default=None)


def _seen(name: str, begin: Sample, between: Sequence[Sample], end: Sample) -> list[Number]:
    return [sample.values[name] for sample in (begin, *between, end) if name in sample.values]


def _is_cumulative(name: str) -> bool:
    return name.endswith(("_total_us", ".run_ns", ".wait_ns")) or name.startswith(
        (conventions.VMSTAT_PREFIX + "pgs", conventions.VMSTAT_PREFIX + "psw")
    )
