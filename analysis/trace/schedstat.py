"""Two witnesses of one thread's CPU time: the trace's switches and /proc/PID/schedstat."""

from __future__ import annotations

from typing import Final

from analysis.trace.on_cpu import on_cpu
from analysis.trace.recording import Recording, Window
from foundation.contract import conventions as names

#: The kernel brings a running thread's time up to date at ticks: it may lag by one at each
#: edge of the window. 10 ms is the longest tick in use (CONFIG_HZ=100).
TICKS_NS: Final = 2 * 10_000_000
#: A switch's own cost goes to the thread that leaves in the trace, and to the one that comes
#: in schedstat, which reads its clock when the other is woken and not again (the kernel's
#: rq_clock_skip_update). An emulated CPU took 2.1 us; the sum over both threads was equal.
SWITCH_NS: Final = 5_000
#: Time in interrupts is in the trace's intervals, and in some configurations not in schedstat.
SHARE: Final = 0.02
#: Reading all counters takes a while: the thread may have run between the edge and its turn.
EDGE_NS: Final = 100_000_000


def disagreements(recording: Recording) -> list[str]:
    """A line for each thread whose two CPU times cannot both be right; empty if none is known.

    schedstat must lie between the trace's time in the window and that in the window made
    longer by `EDGE_NS` on either side, give or take max(`SHARE`, `TICKS_NS`) and
    `SWITCH_NS` for each time that it came on a CPU.
    """
    window = recording.window
    if not window.of_suite or not recording.has_sched:
        return []
    by_tid = {thread.tid: thread for thread in recording.threads if thread.role is not None}
    wider = Window(window.begin - EDGE_NS, window.end + EDGE_NS, of_suite=True)
    utids = [thread.utid for thread in by_tid.values()]
    inside, around = on_cpu(recording, utids), on_cpu(recording, utids, wider)
    found = []
    for counter in recording.counters:
        parsed = names.parse_schedstat(counter)
        if parsed is None or parsed[2] != "run_ns":
            continue
        comm, tid, _ = parsed
        thread, told = by_tid.get(tid), recording.delta(counter).value
        if told is None:
            continue
        if thread is None:
            if told > TICKS_NS:
                found.append(f"{comm} ran {told / 1e6:.1f} ms by schedstat and is not in the trace")
            continue
        seen = inside[thread.utid]
        tolerance = max(SHARE * told, TICKS_NS) + SWITCH_NS * seen.intervals
        low, high = seen.ns - tolerance, around[thread.utid].ns + tolerance
        if not low <= told <= high:
            found.append(
                f"{comm} ran {told / 1e6:.1f} ms by schedstat and {seen.ns / 1e6:.1f} ms by the"
                " trace's switches: one of them lost time"
            )
    return found
