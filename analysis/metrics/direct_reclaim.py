"""Direct reclaim: how often, how long, at what CPU, told apart from the compression thread's own."""

from __future__ import annotations

from typing import Final

from analysis.metrics.definition import Metric, Needs

_EVENTS: Final = frozenset({"vmscan/mm_vmscan_direct_reclaim_begin", "vmscan/mm_vmscan_direct_reclaim_end"})
_NEEDS: Final = Needs(ftrace_events=_EVENTS)
_SOURCE: Final = "mm_vmscan_direct_reclaim_begin/_end (include/trace/events/vmscan.h)"
_LATENCY: Final = (
    "length of a direct reclaim that begins in the window, not cut at its end; all threads but those"
    " of role compression; linear interpolation between order statistics, known from {count} on"
)


def _latency(part: str, definition: str) -> Metric:
    return Metric(
        name=f"direct_reclaim_{part}_ms",
        unit="ms",
        direction="lower",
        family="direct reclaim",
        definition=definition,
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        reduce="median",
    )


METRICS: Final = (
    Metric(
        name="direct_reclaim_cpu_ms",
        unit="ms",
        direction="lower",
        family="direct reclaim",
        definition="CPU time of threads while inside a direct reclaim in the window, without threads"
        " of roles reclaim and compression (their CPU is counted whole elsewhere)",
        source=_SOURCE,
        needs=_NEEDS | Needs(ftrace_events=frozenset({"sched/sched_switch"})),
        threshold=0.10,
        count=True,
    ),
    Metric(
        name="direct_reclaim_count",
        unit="reclaims",
        direction="lower",
        family="direct reclaim",
        definition="direct reclaims that begin in the window, without the compression thread's",
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        count=True,
    ),
    Metric(
        name="direct_reclaim_wall_ms",
        unit="ms",
        direction="lower",
        family="direct reclaim",
        definition="time spent in direct reclaim, summed over threads, cut at the window's edges,"
        " without the compression thread's",
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        count=True,
    ),
    _latency("p50", "median " + _LATENCY.format(count=2)),
    _latency("p95", "95th percentile of the " + _LATENCY.format(count=20)),
    _latency("p99", "99th percentile of the " + _LATENCY.format(count=100)),
    _latency("max", "longest " + _LATENCY.format(count=1)),
    Metric(
        name="compression_direct_reclaim_count",
        unit="reclaims",
        direction="lower",
        family="direct reclaim",
        definition="direct reclaims by threads of role compression that begin in the window",
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        scale="difference",
        count=True,
    ),
    Metric(
        name="compression_direct_reclaim_wall_ms",
        unit="ms",
        direction="lower",
        family="direct reclaim",
        definition="time that threads of role compression spent in direct reclaim, cut at the edges",
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        scale="difference",
    ),
)
