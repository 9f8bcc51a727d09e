"""The one check of a thread's CPU time: the trace's context switches against /proc/PID/schedstat.

The two are measured independently: where they disagree, one of them lost time. The capture
checks a repetition before it is stored, the analysis checks each trace before it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

#: The kernel updates a running thread's time at ticks, so it may lag by one tick at each edge of
#: the window. 10 ms is the longest tick in use (CONFIG_HZ=100).
TICKS_NS: Final = 2 * 10_000_000
#: What a switch may cost in one measurement and not in the other.
SWITCH_NS: Final = 5_000
#: A thread that preempts at its wake-up is charged from the wake-up on (kernel/sched/core.c,
#: rq_clock_skip_update), while in the trace it runs from the switch on: its waker has that time
#: instead. Under emulation 2.1 to 13 us a switch, depending on the host, up to 41 % of the time of a
#: compression thread that is woken for each page; the sum over both threads is equal.
HANDOVER_NS: Final = 20_000
#: The trace's intervals include interrupt time; schedstat excludes it with
#: CONFIG_IRQ_TIME_ACCOUNTING.
SHARE: Final = 0.02
#: Reading all counters takes a while: the thread may have run between the window's edge and the
#: read of its schedstat.
EDGE_NS: Final = 100_000_000


class OnCpu(NamedTuple):
    """Time of a thread on CPUs, ns, and the number of its intervals."""

    ns: int
    intervals: int


class Measured(NamedTuple):
    """One thread by both measurements.

    ``schedstat_ns`` is the growth of schedstat from the begin sample to the end sample. ``inside``
    is the time by switches in the window, None if the thread is not in the trace; ``around_ns``
    is the time in the window extended by `EDGE_NS` on either side.
    """

    comm: str
    schedstat_ns: float
    inside: OnCpu | None
    around_ns: int


def contradictions(threads: Sequence[Measured]) -> list[str]:
    """Why the CPU times of threads that reclaim or compress cannot be right; empty if they can.

    The sum over all threads in the trace must agree: schedstat must lie between ``inside`` and
    ``around_ns``, give or take max(`SHARE`, `TICKS_NS` a thread) plus `SWITCH_NS` for each interval.
    If it does not, the threads that disagree by the same rule are named. A single thread may differ
    by `HANDOVER_NS` for each interval if the sum agrees: then the time is another thread's.
    """
    seen = [thread for thread in threads if thread.inside is not None]
    lost = [
        f"{thread.comm} ran {thread.schedstat_ns / 1e6:.1f} ms by schedstat but is not in the trace"
        for thread in threads
        if thread.inside is None and thread.schedstat_ns > TICKS_NS
    ]
    switch_ns = HANDOVER_NS if _agree(seen, SWITCH_NS) else SWITCH_NS
    apart = [thread for thread in seen if not _agree([thread], switch_ns)]
    if not apart and switch_ns == SWITCH_NS:
        apart = seen
    return lost + [
        f"{thread.comm} ran {thread.schedstat_ns / 1e6:.1f} ms by schedstat but"
        f" {thread.inside.ns / 1e6:.1f} ms by the trace's context switches: one of them lost time"
        for thread in apart
        if thread.inside is not None
    ]


def _agree(threads: Sequence[Measured], switch_ns: int) -> bool:
    """Whether both measurements of these threads together can be right."""
    schedstat_ns = sum(thread.schedstat_ns for thread in threads)
    inside = [thread.inside for thread in threads if thread.inside is not None]
    inside_ns, intervals = sum(times.ns for times in inside), sum(times.intervals for times in inside)
    tolerance_ns = max(SHARE * schedstat_ns, TICKS_NS * len(threads)) + switch_ns * intervals
    around_ns = sum(thread.around_ns for thread in threads)
    return inside_ns - tolerance_ns <= schedstat_ns <= around_ns + tolerance_ns
