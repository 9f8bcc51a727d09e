"""The one check of a thread's CPU time: the trace's context switches against /proc/PID/schedstat.

The two are measured independently: where they disagree, one of them lost time. The capture
checks a repetition before it is stored, the analysis checks each trace before it is judged.
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: The kernel updates a running thread's time at ticks, so it may lag by one tick at each edge of
#: the window. 10 ms is the longest tick in use (CONFIG_HZ=100).
TICKS_NS: Final = 2 * 10_000_000
#: A thread that preempts at its wake-up is charged from the wake-up on (kernel/sched/core.c,
#: rq_clock_skip_update), while in the trace it runs from the switch on. Measured under emulation:
#: 2.1 to 2.5 us a switch, 20 % of the time of a compression thread that is woken for each page;
#: the sum over both threads was equal.
SWITCH_NS: Final = 5_000
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


def contradiction(comm: str, schedstat_ns: float, inside: OnCpu | None, around_ns: int) -> str | None:
    """Why the two CPU times of thread ``comm`` cannot both be right; None if they can.

    ``schedstat_ns`` is the growth of schedstat from the begin sample to the end sample. ``inside``
    is the time by switches in the window, None if the thread is not in the trace; ``around_ns``
    is the time in the window extended by `EDGE_NS` on either side. schedstat must lie between
    the two, give or take max(`SHARE`, `TICKS_NS`) plus `SWITCH_NS` for each interval.
    """
    if inside is None:
        if schedstat_ns <= TICKS_NS:
            return None
        return f"{comm} ran {schedstat_ns / 1e6:.1f} ms by schedstat but is not in the trace"
    tolerance_ns = max(SHARE * schedstat_ns, TICKS_NS) + SWITCH_NS * inside.intervals
    if inside.ns - tolerance_ns <= schedstat_ns <= around_ns + tolerance_ns:
        return None
    return (
        f"{comm} ran {schedstat_ns / 1e6:.1f} ms by schedstat but {inside.ns / 1e6:.1f} ms by the"
        " trace's context switches: one of them lost time"
    )
