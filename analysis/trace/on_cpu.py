"""Time of threads on a CPU, from one sched_switch to the next."""

from __future__ import annotations

from analysis.trace.recording import Recording, Window, sql_list, sql_of, whole
from foundation.contract.cpu_time import OnCpu


def on_cpu(recording: Recording, utids: list[int], window: Window | None = None) -> dict[int, OnCpu]:
    """CPU time of threads by utid; zeros for one that was not on a CPU in the window."""
    within = window or recording.window
    query = sql_of(
        __file__,
        "thread_cpu",
        utids=sql_list(utids),
        begin=within.begin,
        end=within.end,
        trace_end=recording.bounds[1],
    )
    found = {
        whole(utid): OnCpu(whole(ns), whole(intervals))
        for utid, ns, intervals in recording.session.rows(query)
    }
    return dict.fromkeys(utids, OnCpu(0, 0)) | found
