"""What the compression thread costs the scheduler: wake-ups, their latency, kswapd pushed aside.

From scheduling events alone, so that any implementation and any phone can be judged.
"""

from __future__ import annotations

from typing import Final

from analysis.metrics import compression_queue, thread_cpu
from analysis.trace.figure import (
    Figure,
    percentile,
    ratio,
    unknown,
)
from analysis.trace.recording import (
    Recording,
    sql_list,
    sql_of,
    whole,
)
from foundation.contract import conventions as names
from foundation.contract.metric import Metric, Reduce, Shown
from foundation.contract.needs import Needs

_SWITCH: Final = Needs(ftrace_events=frozenset({"sched/sched_switch"}))
_WAKE: Final = _SWITCH | Needs(ftrace_events=frozenset({"sched/sched_waking"}))
_SOURCE: Final = "thread states from sched_switch and sched_waking (include/trace/events/sched.h)"


def _metric(
    name: str, unit: str, definition: str, needs: Needs = _WAKE, *, reduce: Reduce = "mean", mail: int = 0
) -> Metric:
    """``mail`` is the order in the mail; 0: not there."""
    return Metric(
        name=name,
        unit=unit,
        direction="lower",
        family="compression scheduling",
        definition=definition,
        source=_SOURCE,
        needs=needs,
        threshold=0.10,
        reduce=reduce,
        scale="difference",
        shown=Shown(mail, mail=mail > 0, one_sided=True),
    )


METRICS: Final = (
    _metric("compression_wakeups", "wake-ups", "wake-ups of threads of role compression in the window"),
    _metric(
        "compression_wakeups_per_page",
        "wake-ups/page",
        "those wake-ups for each page that went through the queue (where the queue has no tracepoints:"
        " for each page swapped out)",
        _WAKE | Needs(vmstat=frozenset({"pswpout"})),
        mail=360,
    ),
    _metric(
        "compression_wake_to_run_p50_us",
        "us",
        "median time from such a wake-up to the thread's run: the least that a queued page waits",
        reduce="median",
    ),
    _metric(
        "compression_wake_to_run_p99_us",
        "us",
        "99th percentile of that time, known from 100 wake-ups on",
        reduce="median",
        mail=370,
    ),
    _metric(
        "compression_wake_to_run_max_us",
        "us",
        "longest time from such a wake-up to the run",
        reduce="median",
    ),
    _metric(
        "kswapd_preempted_by_compression",
        "switches",
        "switches in the window from a kswapd that was still runnable to a compression thread on its CPU",
        _SWITCH,
    ),
    _metric(
        "kswapd_preempted_by_compression_ms",
        "ms",
        "time that kswapd then waited until it ran again, cut at the window's end",
        _SWITCH,
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; zeros where the capture saw no compression thread."""
    if not recording.has_sched:
        why = unknown("the trace has no sched_switch events in the window")
        return {metric.name: why for metric in METRICS}
    utids = [thread.utid for thread in recording.with_role("compression")]
    if not utids:
        return _without_thread(recording)
    return {**_wakeups(recording, utids), **_preemptions(recording)}


def _without_thread(recording: Recording) -> dict[str, Figure]:
    cpu = recording.figures(thread_cpu.compute)["compression_cpu_ms"]
    if cpu.value is None:
        return {metric.name: cpu for metric in METRICS}
    none = unknown("there is no compression thread that could be woken")
    latency = {metric.name: none for metric in METRICS if metric.unit == "us"}
    return {metric.name: Figure(0.0) for metric in METRICS} | latency


def _wakeups(recording: Recording, utids: list[int]) -> dict[str, Figure]:
    counted = [metric.name for metric in METRICS if metric.name.startswith("compression_wake")]
    if not recording.event_recorded("sched_waking"):
        return dict.fromkeys(counted, unknown("the trace has no sched_waking events"))
    window = recording.window
    query = sql_of(
        __file__, "compression_wakeups", utids=sql_list(utids), begin=window.begin, end=window.end
    )
    waits_us = [whole(dur) / 1e3 for (dur,) in recording.session.rows(query)]
    count = Figure(float(len(waits_us)))
    what = "wake-ups of the compression thread"
    return {
        "compression_wakeups": count,
        "compression_wakeups_per_page": ratio(
            count, _pages(recording), zero="no page was swapped out in the window"
        ),
        "compression_wake_to_run_p50_us": percentile(waits_us, 0.50, minimum=2, what=what),
        "compression_wake_to_run_p99_us": percentile(waits_us, 0.99, minimum=100, what=what),
        "compression_wake_to_run_max_us": percentile(waits_us, 1.0, minimum=1, what=what),
    }


def _pages(recording: Recording) -> Figure:
    queued = recording.figures(compression_queue.compute)["queue_pages"]
    return queued if queued.value is not None else recording.delta(names.vmstat("pswpout"))


def _preemptions(recording: Recording) -> dict[str, Figure]:
    window = recording.window
    query = sql_of(
        __file__, "kswapd_preempted", begin=window.begin, end=window.end, trace_end=recording.bounds[1]
    )
    waits = [whole(ns) for (ns,) in recording.session.rows(query)]
    return {
        "kswapd_preempted_by_compression": Figure(float(len(waits))),
        "kswapd_preempted_by_compression_ms": Figure(sum(waits) / 1e6),
    }
