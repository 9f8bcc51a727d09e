"""CPU times of a trace's threads, checked against their schedstat counters."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.trace.on_cpu import on_cpu
from analysis.trace.recording import Recording, Window
from foundation.contract import conventions as names
from foundation.contract.cpu_time import (
    EDGE_NS,
    Measured,
    Moved,
    Switch,
    contradictions,
    handed_over_ns,
    irq_ns,
    moved_by,
)


def disagreements(recording: Recording) -> list[str]:
    """A line for each thread whose two CPU times contradict each other (`contradictions`).

    Only windows of the suite are checked: their counters were read at the edges.
    """
    window = recording.window
    if not window.of_suite or not recording.has_sched:
        return []
    by_tid = {thread.tid: thread.utid for thread in recording.threads if thread.role is not None}
    wider = Window(window.begin - EDGE_NS, window.end + EDGE_NS, of_suite=True)
    utids = list(by_tid.values())
    inside, around = on_cpu(recording, utids), on_cpu(recording, utids, wider)
    measured: list[tuple[int | None, Measured]] = []
    for counter in recording.counters:
        parsed = names.parse_schedstat(counter)
        if parsed is None or parsed[2] != "run_ns":
            continue
        comm, tid, _ = parsed
        schedstat_ns = recording.delta(counter).value
        if schedstat_ns is None:
            continue
        utid = by_tid.get(tid)
        seen = (None, 0) if utid is None else (inside[utid], around[utid].ns)
        measured.append((utid, Measured(comm, schedstat_ns, *seen)))
    deltas = [recording.delta(names.stat_ticks(field)).value for field in names.STAT_IRQ]
    interrupts_ns = irq_ns([0.0] * len(deltas), deltas)
    apart = contradictions([one for _, one in measured], interrupts_ns)
    if not apart:
        return []
    # Only now: it reads every switch and every waking around the window.
    moved = _moved(recording, utids)
    return contradictions(
        [one if utid is None else one._replace(moved=moved[utid]) for utid, one in measured], interrupts_ns
    )


def _moved(recording: Recording, utids: Sequence[int]) -> dict[int, Moved]:
    """What schedstat may charge to another thread than the trace shows running, by utid."""
    window = recording.window
    near = {"begin": window.begin - 2 * EDGE_NS, "end": window.end + EDGE_NS}
    wakings: dict[int, list[int]] = {}
    for utid, ts in recording.query_ints(__file__, "wakings", 2, **near).tolist():
        wakings.setdefault(utid, []).append(ts)
    rows = recording.query_ints(__file__, "switches_near", 4, utids=list(utids), **near).tolist()
    switches = [Switch(*row) for row in rows]
    last = recording.query_ints(
        __file__, "last_intervals", 2, utids=list(utids), begin=window.begin, end=window.end
    )
    late = dict.fromkeys(utids, 0) | dict(last.tolist())
    handed = [(one, handed_over_ns(one, wakings.get(one.after, ()))) for one in switches]
    return moved_by(handed, late, window.end)
