"""The one check of a thread's CPU time: the trace's context switches against /proc/PID/schedstat.

The two are measured independently: where they disagree, one of them lost time. The capture
checks a repetition before it is stored, the analysis checks each trace before it is judged.

Which is right where neither lost anything: the trace, whose thread runs from one switch to the
next. schedstat charges by the clock of the run queue (kernel/sched/fair.c, update_curr), which can
stand still while time passes, in two ways:

* A thread that preempts at its wake-up is charged from the wake-up on: wakeup_preempt() asks for no
  second clock update (rq_clock_skip_update), so schedule() still has the time of the wake-up, however
  late it comes. Until the switch the waker runs, and the other thread is charged. The sum over both
  is equal, and the stretch from waking to switch is in the trace.
* proc_pid_schedstat() prints sum_exec_runtime as it stands, and only ticks and switches bring that up
  to date. A running thread lags by a tick, and on a virtual CPU that its host does not run by as long
  as that lasts, at most since the thread was switched in.

On a busy host both grow without bound, so they are bounded by what the trace shows, not by a constant.

With CONFIG_IRQ_TIME_ACCOUNTING, as GKI kernels have it, schedstat further leaves out the time of
interrupts (kernel/sched/core.c, update_rq_clock_task), which stands in the trace's intervals: on a
CPU that takes those of storage or modem without bound. That goes one way only, and at most by what
/proc/stat counts as irq and softirq on all CPUs (kernel/sched/cputime.c, irqtime_account_irq).
Which CPUs took it is not recorded, so all of it is granted: a trace that lost switches is found by
its own statistics as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

#: The kernel updates a running thread's time at ticks, so it may lag by one tick at each edge of
#: the window. 10 ms is the longest tick in use (CONFIG_HZ=100).
TICKS_NS: Final = 2 * 10_000_000
#: What a switch may cost in one measurement and not in the other.
SWITCH_NS: Final = 5_000
#: As `SWITCH_NS`, for a single thread of several whose sum agrees: what moved between them, in a trace
#: without wakings. Under emulation 2.1 to 13 us a switch were measured, up to 41 % of the time of a
#: compression thread that is woken for each page.
HANDOVER_NS: Final = 20_000
#: What the clocks of the two may differ by, of the time that the thread ran.
SHARE: Final = 0.02
#: A tick of /proc/stat: USER_HZ is 100 on every architecture of a phone (include/asm-generic/param.h).
STAT_TICK_NS: Final = 10_000_000
#: Reading all counters takes a while: the thread may have run between the window's edge and the
#: read of its schedstat. Also the longest that a clock is taken to stand still.
EDGE_NS: Final = 100_000_000


class OnCpu(NamedTuple):
    """Time of a thread on CPUs, ns, and the number of its intervals."""

    ns: int
    intervals: int


class Moved(NamedTuple):
    """What schedstat may charge to one thread while the trace shows another running, ns.

    ``gained_ns``: charged to the thread before it was switched in, ``given_ns``: to its successors
    while it still ran. ``gained_outside_ns`` and ``given_outside_ns`` are the parts that have to do
    with threads that are not measured. ``late_ns`` is the part of the window's last interval that its
    schedstat may not hold yet, ``late_gained_ns`` what a measured thread ran before that interval for it:
    until a tick it stands in neither schedstat.
    """

    gained_ns: int = 0
    given_ns: int = 0
    gained_outside_ns: int = 0
    given_outside_ns: int = 0
    late_ns: int = 0
    late_gained_ns: int = 0


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
    moved: Moved = Moved()


class Switch(NamedTuple):
    """A context switch: ``before`` ran on a CPU from ``since_ns`` to ``t_ns``, ``after`` from then on."""

    before: int
    since_ns: int
    t_ns: int
    after: int


def handed_over_ns(switch: Switch, wakings: Sequence[int]) -> int:
    """How long ``switch.after`` may have been charged while ``switch.before`` still ran.

    ``wakings`` are the times in order at which ``after`` was woken. 0 if it was not woken while
    ``before`` ran: then no clock stood still for it.
    """
    place = bisect_right(wakings, switch.t_ns) - 1
    if place < 0 or wakings[place] <= switch.since_ns:
        return 0
    return min(switch.t_ns - wakings[place], EDGE_NS)


def moved_by(
    switches: Sequence[tuple[Switch, int]], late_ns: dict[int, int], end_ns: int
) -> dict[int, Moved]:
    """What may have moved, by thread. ``switches`` carry what each handed over (`handed_over_ns`).

    The threads are those of ``late_ns``: for each, the part of its interval in the window that
    crosses the window's end, ``end_ns``; 0 for none.
    """
    sums = {tid: [0, 0, 0, 0] for tid in late_ns}
    last = dict.fromkeys(late_ns, (0, 0))
    for switch, handed_ns in switches:
        outside = switch.before not in sums or switch.after not in sums
        if switch.after in sums and last[switch.after][0] < switch.t_ns < end_ns:
            last[switch.after] = switch.t_ns, 0 if outside else handed_ns
        for tid, column in ((switch.after, 0), (switch.before, 1)):
            if tid in sums:
                sums[tid][column] += handed_ns
                sums[tid][column + 2] += handed_ns if outside else 0
    return {
        tid: Moved(
            gained,
            given,
            gained_outside,
            given_outside,
            min(late_ns[tid], EDGE_NS),
            last[tid][1] if late_ns[tid] else 0,
        )
        for tid, (gained, given, gained_outside, given_outside) in sums.items()
    }


def irq_ns(begin_ticks: Sequence[float | None], end_ticks: Sequence[float | None]) -> int:
    """Interrupt time between two readings of irq and softirq of /proc/stat, at most; 0 if unknown."""
    grown = [
        end - begin
        for begin, end in zip(begin_ticks, end_ticks, strict=True)
        if begin is not None and end is not None
    ]
    if len(grown) < len(begin_ticks) or not any(grown):
        return 0
    # Each is cut off to full ticks.
    return round(sum(max(each, 0) + 1 for each in grown) * STAT_TICK_NS)


def contradictions(threads: Sequence[Measured], irq_ns: int = 0) -> list[str]:
    """Why the CPU times of threads that reclaim or compress cannot be right; empty if they can.

    ``irq_ns``: what interrupts took on all CPUs in the window, which schedstat may lack.

    The sum over all threads in the trace must agree: schedstat must lie between ``inside`` less the time of
    interrupts and ``around_ns``, give or take what may have `Moved` from or to other threads,
    max(`SHARE`, `TICKS_NS` a thread) and `SWITCH_NS` for each interval. If it does not, the threads that
    disagree by the same rule are named. A single thread may differ by all that may have moved, and by
    `HANDOVER_NS` for each interval if the sum agrees: then the time is another thread's.
    """
    seen = [thread for thread in threads if thread.inside is not None]
    lost = [
        f"{thread.comm} ran {thread.schedstat_ns / 1e6:.1f} ms by schedstat but is not in the trace"
        for thread in threads
        if thread.inside is None and thread.schedstat_ns > TICKS_NS
    ]
    switch_ns = HANDOVER_NS if _sum_agrees(seen, irq_ns) else SWITCH_NS
    apart = [thread for thread in seen if not _agrees(thread, switch_ns, irq_ns)]
    if not apart and switch_ns == SWITCH_NS:
        apart = seen
    return lost + [
        f"{thread.comm} ran {thread.schedstat_ns / 1e6:.1f} ms by schedstat but"
        f" {thread.inside.ns / 1e6:.1f} ms by the trace's context switches: one of them lost time"
        for thread in apart
        if thread.inside is not None
    ]


def _agrees(thread: Measured, switch_ns: int, irq_ns: int) -> bool:
    return _between([thread], switch_ns, thread.moved.gained_ns, thread.moved.given_ns + irq_ns)


def _sum_agrees(threads: Sequence[Measured], irq_ns: int) -> bool:
    gained_ns = sum(thread.moved.gained_outside_ns for thread in threads)
    given_ns = sum(thread.moved.given_outside_ns + thread.moved.late_gained_ns for thread in threads)
    return _between(threads, SWITCH_NS, gained_ns, given_ns + irq_ns)


def _between(threads: Sequence[Measured], switch_ns: int, gained_ns: int, given_ns: int) -> bool:
    """Whether both measurements of these threads together can be right."""
    schedstat_ns = sum(thread.schedstat_ns for thread in threads)
    inside = [thread.inside for thread in threads if thread.inside is not None]
    inside_ns, intervals = sum(times.ns for times in inside), sum(times.intervals for times in inside)
    late_ns = sum(thread.moved.late_ns for thread in threads)
    tolerance_ns = max(SHARE * schedstat_ns, TICKS_NS * len(threads)) + switch_ns * intervals
    around_ns = sum(thread.around_ns for thread in threads)
    least_ns, most_ns = inside_ns - given_ns - late_ns, around_ns + gained_ns
    return least_ns - tolerance_ns <= schedstat_ns <= most_ns + tolerance_ns
