"""The one check of a thread's CPU time: the trace's context switches against /proc/PID/schedstat.

The two are measured independently. Where they contradict each other, one of them lost time.
The capture checks a repetition with it before it is stored, the analysis each trace that it judges.
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: The kernel updates a running thread's time at ticks: it may lag by one at each edge of the
#: window. 10 ms is the longest tick in use (CONFIG_HZ=100).
TICKS_NS: Final = 2 * 10_000_000
#: A thread that preempts at its wake-up is charged from the wake-up on (kernel/sched/core.c,
#: rq_clock_skip_update), while the trace has it run from the switch. 2.1 to 2.5 us a switch were
#: measured under emulation, 20 % of the time of a compression thread that is woken for each page;
#: the sum over both threads was equal.
SWITCH_NS: Final = 5_000
#: Time in interrupts is in the trace's intervals, and in some configurations not in schedstat
#: (CONFIG_IRQ_TIME_ACCOUNTING).
SHARE: Final = 0.02
#: Reading all counters takes a while: the thread may have run between the window's edge and the
#: moment at which its schedstat was read.
EDGE_NS: Final = 100_000_000


class OnCpu(NamedTuple):
    """Time of a thread on a CPU, ns, and in how many intervals."""

    ns: int
    intervals: int


def contradiction(comm: str, schedstat_ns: float, inside: OnCpu | None, around_ns: int) -> str | None:
    """The reason why both CPU times of thread ``comm`` cannot be right; None if they can.

    ``schedstat_ns`` is what schedstat grew by from the begin sample to the end sample. ``inside``
    is the time by switches in the window, None where the trace does not have the thread;
    ``around_ns`` that in the window made longer by `EDGE_NS` on either side. schedstat must lie
    between the two, give or take max(`SHARE`, `TICKS_NS`) and `SWITCH_NS` an interval.
    """
    if inside is None:
        if schedstat_ns <= TICKS_NS:
            return None
        return f"{comm} ran {schedstat_ns / 1e6:.1f} ms by schedstat and is not in the trace"
    tolerance_ns = max(SHARE * schedstat_ns, TICKS_NS) + SWITCH_NS * inside.intervals
    if inside.ns - tolerance_ns <= schedstat_ns <= around_ns + tolerance_ns:
        return None
    return (
        f"{comm} ran {schedstat_ns / 1e6:.1f} ms by schedstat and {inside.ns / 1e6:.1f} ms by the"
        " trace's switches: one of them lost time"
    )
