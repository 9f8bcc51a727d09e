"""What the compression thread costs the scheduler: wake-ups, wake-up latency, preemption of kswapd.

From scheduling events alone, so that it applies to any implementation and any phone.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from analysis.metrics import compression_queue, thread_cpu
from analysis.trace.figure import Figure, all_unknown, percentile, ratio, unknown
from analysis.trace.recording import NO_SCHED, Recording, as_int
from foundation.contract import conventions as names
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs

_SWITCH: Final = Needs(ftrace_events=frozenset({"sched/sched_switch"}))
_WAKE: Final = _SWITCH | Needs(ftrace_events=frozenset({"sched/sched_waking"}))

_metric = partial(
    Metric,
    direction="lower",
    family="compression scheduling",
    source="thread states from sched_switch and sched_waking (include/trace/events/sched.h)",
    needs=_WAKE,
    threshold=0.10,
    scale="difference",
    shown=Shown(one_sided=True),
)

METRICS: Final = (
    _metric(
        "compression_wakeups",
        "wake-ups",
        definition="wake-ups of threads of role compression in the window",
    ),
    _metric(
        "compression_wakeups_per_page",
        "wake-ups/page",
        definition="compression_wakeups / queue_pages (/ pswpout if the queue has no tracepoints)",
        needs=_WAKE | Needs(vmstat=frozenset({"pswpout"})),
        shown=Shown(360, mail=True, one_sided=True),
    ),
    _metric(
        "compression_wake_to_run_p50_us",
        "us",
        definition="median time from the wake-up of a compression thread until it runs: the least that a"
        " queued page waits",
        reduce="median",
    ),
    _metric(
        "compression_wake_to_run_p99_us",
        "us",
        definition="99th percentile of the time from the wake-up of a compression thread until it runs;"
        " needs at least 100 wake-ups",
        reduce="median",
        shown=Shown(370, mail=True, one_sided=True),
    ),
    _metric(
        "compression_wake_to_run_max_us",
        "us",
        definition="longest time from the wake-up of a compression thread until it runs",
        reduce="median",
    ),
    _metric(
        "kswapd_preempted_by_compression",
        "switches",
        definition="context switches in the window from a kswapd that is still runnable to a compression"
        " thread",
        needs=_SWITCH,
    ),
    _metric(
        "kswapd_preempted_by_compression_ms",
        "ms",
        definition="time from these preemptions until kswapd runs again, cut at the end of the window",
        needs=_SWITCH,
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; zeros if the capture saw no compression thread."""
    if not recording.has_sched:
        return all_unknown(METRICS, NO_SCHED)
    utids = [thread.utid for thread in recording.with_role("compression")]
    if not utids:
        return _without_thread(recording)
    return {**_wakeups(recording, utids), **_preemptions(recording)}


def _without_thread(recording: Recording) -> dict[str, Figure]:
    cpu = recording.figures(thread_cpu.compute)["compression_cpu_ms"]
    if cpu.value is None:
        return {metric.name: cpu for metric in METRICS}
    none = unknown("the device has no compression thread")
    latency = {metric.name: none for metric in METRICS if metric.unit == "us"}
    return {metric.name: Figure(0.0) for metric in METRICS} | latency


def _wakeups(recording: Recording, utids: list[int]) -> dict[str, Figure]:
    why = recording.event_missing("sched_waking")
    if why is not None:
        return all_unknown((m for m in METRICS if m.name.startswith("compression_wake")), why)
    rows = recording.query(__file__, "compression_wakeups", utids=utids)
    waits_us = [as_int(dur) / 1e3 for (dur,) in rows]
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
    waits = [as_int(ns) for (ns,) in recording.query(__file__, "kswapd_preempted")]
    return {
        "kswapd_preempted_by_compression": Figure(float(len(waits))),
        "kswapd_preempted_by_compression_ms": Figure(sum(waits) / 1e6),
    }
