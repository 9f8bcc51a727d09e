"""CPU times of a trace's threads, checked against their schedstat counters."""

from __future__ import annotations

from analysis.trace.on_cpu import on_cpu
from analysis.trace.recording import Recording, Window
from foundation.contract import conventions as names
from foundation.contract.cpu_time import EDGE_NS, Measured, contradictions


def disagreements(recording: Recording) -> list[str]:
    """A line for each thread whose two CPU times contradict each other (`contradictions`).

    Only windows of the suite are checked: their counters were read at the edges.
    """
    window = recording.window
    if not window.of_suite or not recording.has_sched:
        return []
    by_tid = {thread.tid: thread for thread in recording.threads if thread.role is not None}
    wider = Window(window.begin - EDGE_NS, window.end + EDGE_NS, of_suite=True)
    utids = [thread.utid for thread in by_tid.values()]
    inside, around = on_cpu(recording, utids), on_cpu(recording, utids, wider)
    measured = []
    for counter in recording.counters:
        parsed = names.parse_schedstat(counter)
        if parsed is None or parsed[2] != "run_ns":
            continue
        comm, tid, _ = parsed
        schedstat_ns = recording.delta(counter).value
        if schedstat_ns is None:
            continue
        thread = by_tid.get(tid)
        seen = (None, 0) if thread is None else (inside[thread.utid], around[thread.utid].ns)
        measured.append(Measured(comm, schedstat_ns, *seen))
    return contradictions(measured)
