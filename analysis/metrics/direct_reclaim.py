"""Direct reclaim: how often, how long, and its CPU time, without the compression thread's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from analysis.trace.figure import Figure, all_unknown, percentile, unknown
from analysis.trace.recording import NO_SCHED, Recording, as_int
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(
    ftrace_events=frozenset(
        {"vmscan/mm_vmscan_direct_reclaim_begin", "vmscan/mm_vmscan_direct_reclaim_end"}
    )
)
#: Part -> (quantile, fewest reclaims: 1 / (1 - quantile)).
_PERCENTILES: Final = {"p50": (0.50, 2), "p95": (0.95, 20), "p99": (0.99, 100), "max": (1.0, 1)}

_metric = partial(
    Metric,
    direction="lower",
    family="direct reclaim",
    source="mm_vmscan_direct_reclaim_begin/_end (include/trace/events/vmscan.h)",
    needs=_NEEDS,
    threshold=0.10,
)
_latency = partial(_metric, unit="ms", reduce="median")
_OF_LATENCY: Final = (
    "direct reclaims that start in the window, not cut at its end, without those of threads of role"
    " compression"
)
_INTERPOLATED: Final = "linear interpolation between order statistics, needs at least"

METRICS: Final = (
    _metric(
        "direct_reclaim_cpu_ms",
        "ms",
        definition="CPU time that threads spend inside direct reclaim in the window, without threads of"
        " roles reclaim and compression (all of their CPU time is counted elsewhere)",
        needs=_NEEDS | Needs(ftrace_events=frozenset({"sched/sched_switch"})),
        count=True,
        shown=Shown(cpu_of="direct reclaim"),
    ),
    _metric(
        "direct_reclaim_count",
        "reclaims",
        definition="direct reclaims that start in the window, without those of the compression thread",
        count=True,
        shown=Shown(30, terminal=True),
    ),
    _metric(
        "direct_reclaim_wall_ms",
        "ms",
        definition="wall time in direct reclaim, summed over threads and cut at the edges of the window,"
        " without the compression thread",
        count=True,
        shown=Shown(40, mail=True),
    ),
    _latency("direct_reclaim_p50_ms", definition=f"median length of {_OF_LATENCY}; {_INTERPOLATED} 2"),
    _latency(
        "direct_reclaim_p95_ms",
        definition=f"95th percentile of the length of {_OF_LATENCY}; {_INTERPOLATED} 20",
    ),
    _latency(
        "direct_reclaim_p99_ms",
        definition=f"99th percentile of the length of {_OF_LATENCY}; {_INTERPOLATED} 100",
        shown=Shown(50, mail=True),
    ),
    _latency("direct_reclaim_max_ms", definition=f"longest of the {_OF_LATENCY}"),
    _metric(
        "compression_direct_reclaim_count",
        "reclaims",
        definition="direct reclaims by threads of role compression that start in the window",
        scale="difference",
        count=True,
    ),
    _metric(
        "compression_direct_reclaim_wall_ms",
        "ms",
        definition="wall time that threads of role compression spend in direct reclaim, cut at the edges of"
        " the window",
        scale="difference",
    ),
)


@dataclass(frozen=True)
class Reclaim:
    """One direct reclaim; ``dur`` (ns) is None if its end was not recorded."""

    utid: int
    ts: int
    dur: int | None


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; all unknown if the tracepoint was not recorded."""
    why = recording.event_missing("mm_vmscan_direct_reclaim_begin")
    if why is not None:
        return all_unknown(METRICS, why)
    reclaims = [
        Reclaim(as_int(utid), as_int(ts), None if as_int(dur) < 0 else as_int(dur))
        for utid, ts, dur in recording.query(__file__, "direct_reclaim")
    ]
    compressing = {thread.utid for thread in recording.with_role("compression")}
    own = [reclaim for reclaim in reclaims if reclaim.utid in compressing]
    others = [reclaim for reclaim in reclaims if reclaim.utid not in compressing]
    started = _started(recording, others)
    lengths = [reclaim.dur / 1e6 for reclaim in started if reclaim.dur is not None]
    unended = len(started) - len(lengths)
    caution = f"{unended} never end in the trace and are left out" if unended else None
    what = "direct reclaims started and ended"
    return {
        "direct_reclaim_cpu_ms": _cpu(recording, sorted({reclaim.utid for reclaim in others})),
        "direct_reclaim_count": Figure(float(len(started))),
        "direct_reclaim_wall_ms": Figure(_wall_ms(recording, others)),
        "compression_direct_reclaim_count": Figure(float(len(_started(recording, own)))),
        "compression_direct_reclaim_wall_ms": Figure(_wall_ms(recording, own)),
        **{
            f"direct_reclaim_{part}_ms": percentile(lengths, share, minimum=minimum, what=what).cautioned(
                caution
            )
            for part, (share, minimum) in _PERCENTILES.items()
        },
    }


def _started(recording: Recording, reclaims: list[Reclaim]) -> list[Reclaim]:
    window = recording.window
    return [reclaim for reclaim in reclaims if window.begin <= reclaim.ts < window.end]


def _wall_ms(recording: Recording, reclaims: list[Reclaim]) -> float:
    window = recording.window
    total = 0
    for reclaim in reclaims:
        end = recording.bounds[1] if reclaim.dur is None else reclaim.ts + reclaim.dur
        total += min(end, window.end) - max(reclaim.ts, window.begin)
    return total / 1e6


def _cpu(recording: Recording, utids: list[int]) -> Figure:
    if not recording.has_sched:
        return unknown(NO_SCHED)
    kswapd = {thread.utid for thread in recording.with_role("reclaim")}
    utids = [utid for utid in utids if utid not in kswapd]
    if not utids:
        return Figure(0.0)
    ((ns,),) = recording.query(__file__, "direct_reclaim_cpu", utids=utids)
    return Figure(as_int(ns) / 1e6)
