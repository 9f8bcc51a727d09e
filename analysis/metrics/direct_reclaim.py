"""Direct reclaim: how often, how long, at what CPU, told apart from the compression thread's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analysis.trace.figure import Figure, percentile, unknown
from analysis.trace.recording import (
    Recording,
    sql_list,
    sql_of,
    whole,
)
from foundation.contract.metric import TABLE_ONLY, Metric, Shown
from foundation.contract.needs import Needs

_EVENTS: Final = frozenset({"vmscan/mm_vmscan_direct_reclaim_begin", "vmscan/mm_vmscan_direct_reclaim_end"})
_NEEDS: Final = Needs(ftrace_events=_EVENTS)
_SOURCE: Final = "mm_vmscan_direct_reclaim_begin/_end (include/trace/events/vmscan.h)"
#: Part -> (quantile, reclaims from which on it is known: 1 / (1 - quantile)).
_PERCENTILES: Final = {"p50": (0.50, 2), "p95": (0.95, 20), "p99": (0.99, 100), "max": (1.0, 1)}
_LATENCY: Final = (
    "length of a direct reclaim that begins in the window, not cut at its end; all threads but those"
    " of role compression; linear interpolation between order statistics, known from {count} on"
)


def _latency(part: str, definition: str, shown: Shown = TABLE_ONLY) -> Metric:
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
        shown=shown,
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
        shown=Shown(cpu_of="direct reclaim"),
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
        shown=Shown(30, terminal=True),
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
        shown=Shown(40, mail=True),
    ),
    _latency("p50", "median " + _LATENCY.format(count=2)),
    _latency("p95", "95th percentile of the " + _LATENCY.format(count=20)),
    _latency("p99", "99th percentile of the " + _LATENCY.format(count=100), Shown(50, mail=True)),
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


@dataclass(frozen=True)
class Reclaim:
    """One direct reclaim; ``dur`` is None where its end was not recorded."""

    utid: int
    ts: int
    dur: int | None


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; all unknown where the tracepoint was not recorded."""
    if not recording.event_recorded("mm_vmscan_direct_reclaim_begin"):
        why = unknown("the trace does not record mm_vmscan_direct_reclaim_begin")
        return {metric.name: why for metric in METRICS}
    compressing = {thread.utid for thread in recording.with_role("compression")}
    window = recording.window
    query = sql_of(__file__, "direct_reclaim", begin=window.begin, end=window.end)
    reclaims = [
        Reclaim(whole(utid), whole(ts), None if whole(dur) < 0 else whole(dur))
        for utid, ts, dur in recording.session.rows(query)
    ]
    own = [reclaim for reclaim in reclaims if reclaim.utid in compressing]
    others = [reclaim for reclaim in reclaims if reclaim.utid not in compressing]
    lengths, left_open = _lengths(recording, others)
    caution = f"{left_open} never end in the trace and are left out" if left_open else None
    return {
        "direct_reclaim_cpu_ms": _cpu(recording, sorted({reclaim.utid for reclaim in others})),
        "direct_reclaim_count": Figure(float(_count(recording, others))),
        "direct_reclaim_wall_ms": Figure(_wall_ms(recording, others)),
        "compression_direct_reclaim_count": Figure(float(_count(recording, own))),
        "compression_direct_reclaim_wall_ms": Figure(_wall_ms(recording, own)),
        **{
            f"direct_reclaim_{part}_ms": _cautioned(
                percentile(lengths, share, minimum=minimum, what="direct reclaims began and ended"), caution
            )
            for part, (share, minimum) in _PERCENTILES.items()
        },
    }


def _begun(recording: Recording, reclaims: list[Reclaim]) -> list[Reclaim]:
    window = recording.window
    return [reclaim for reclaim in reclaims if window.begin <= reclaim.ts < window.end]


def _count(recording: Recording, reclaims: list[Reclaim]) -> int:
    return len(_begun(recording, reclaims))


def _lengths(recording: Recording, reclaims: list[Reclaim]) -> tuple[list[float], int]:
    begun = _begun(recording, reclaims)
    ended = [reclaim.dur / 1e6 for reclaim in begun if reclaim.dur is not None]
    return ended, len(begun) - len(ended)


def _wall_ms(recording: Recording, reclaims: list[Reclaim]) -> float:
    window = recording.window
    total = 0
    for reclaim in reclaims:
        end = recording.bounds[1] if reclaim.dur is None else reclaim.ts + reclaim.dur
        total += min(end, window.end) - max(reclaim.ts, window.begin)
    return total / 1e6


def _cpu(recording: Recording, utids: list[int]) -> Figure:
    if not recording.has_sched:
        return unknown("the trace has no sched_switch events in the window")
    kswapd = {thread.utid for thread in recording.with_role("reclaim")}
    utids = [utid for utid in utids if utid not in kswapd]
    if not utids:
        return Figure(0.0)
    query = sql_of(
        __file__,
        "direct_reclaim_cpu",
        utids=sql_list(utids),
        begin=recording.window.begin,
        end=recording.window.end,
        trace_end=recording.bounds[1],
    )
    ((ns,),) = recording.session.rows(query)
    return Figure(whole(ns) / 1e6)


def _cautioned(figure: Figure, caution: str | None) -> Figure:
    if figure.value is None or caution is None:
        return figure
    return Figure(figure.value, caution)
