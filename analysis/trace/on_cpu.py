"""Time of threads on a CPU, from one sched_switch to the next."""

from __future__ import annotations

from analysis.trace.recording import Recording, Window, as_int
from foundation.contract.cpu_time import OnCpu


def on_cpu(recording: Recording, utids: list[int], window: Window | None = None) -> dict[int, OnCpu]:
    """CPU time of threads by utid, in ``window`` (None: the measured one); zeros for one that never ran."""
    within = window or recording.window
    rows = recording.query(__file__, "thread_cpu", utids=utids, begin=within.begin, end=within.end)
    ran = {as_int(utid): OnCpu(as_int(ns), as_int(intervals)) for utid, ns, intervals in rows}
    return dict.fromkeys(utids, OnCpu(0, 0)) | ran
