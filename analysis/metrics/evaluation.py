"""One trace to its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from analysis.metrics import (
    app_switches,
    compression_queue,
    compression_scheduling,
    direct_reclaim,
    energy,
    pressure,
    reclaim_cycle,
    reclaim_total,
    swap_faults,
    thread_cpu,
    vmstat,
    window,
    zram,
)
from analysis.metrics.registry import all_metrics, metric_named
from analysis.metrics.value import MetricValue
from analysis.trace import validity
from analysis.trace.figure import Figure
from analysis.trace.framing import read_facts
from analysis.trace.recording import Recording
from analysis.trace_processor import EngineChoice, open_trace
from foundation.contract.metric import Metric
from foundation.errors import TraceError

_FAMILIES: Final[tuple[tuple[tuple[Metric, ...], Callable[[Recording], dict[str, Figure]]], ...]] = (
    (thread_cpu.METRICS, thread_cpu.compute),
    (reclaim_total.METRICS, reclaim_total.compute),
    (compression_queue.METRICS, compression_queue.compute),
    (compression_scheduling.METRICS, compression_scheduling.compute),
    (direct_reclaim.METRICS, direct_reclaim.compute),
    (reclaim_cycle.METRICS, reclaim_cycle.compute),
    (swap_faults.METRICS, swap_faults.compute),
    (vmstat.METRICS, vmstat.compute),
    (pressure.METRICS, pressure.compute),
    (app_switches.METRICS, app_switches.compute),
    (zram.METRICS, zram.compute),
    (energy.METRICS, energy.compute),
    (window.METRICS, window.compute),
)


def evaluate(
    trace: Path,
    wanted: Iterable[str] | None,
    engine: EngineChoice | None,
    *,
    lossy: bool,
    watch: Callable[[Recording], None] | None = None,
) -> list[MetricValue]:
    """A value for each wanted metric; see `analysis.metrics.compute`."""
    chosen = list(all_metrics() if wanted is None else wanted)
    metrics = {name: metric_named(name) for name in chosen}
    facts = read_facts(trace)
    if facts.damage and not lossy:
        # Before the engine sees it: a damaged trace can take it minutes.
        raise _not_whole(trace, facts.damage)
    with open_trace(trace, engine) as session:
        recording = Recording(session, facts)
        reasons = validity.reasons(recording)
        if reasons and not lossy:
            raise _not_whole(trace, reasons)
        figures: dict[str, Figure] = {}
        for family, compute in _FAMILIES:
            if any(metric.name in metrics for metric in family):
                figures |= recording.figures(compute)
        if watch is not None:
            watch(recording)
    caution = f"the trace is not whole: {'; '.join(reasons)}" if reasons else None
    return [
        MetricValue(
            trace=trace,
            metric=name,
            value=figures[name].value,
            unit=metric.unit,
            reason=_joined(figures[name].reason, caution),
            engine=str(session.engine),
        )
        for name, metric in metrics.items()
    ]


def _not_whole(trace: Path, reasons: Sequence[str]) -> TraceError:
    return TraceError(
        f"{trace}: the trace is not whole: {'; '.join(reasons)}",
        next_step="record it again, or give --lossy to see what it holds",
    )


def _joined(reason: str | None, caution: str | None) -> str | None:
    return "; ".join(part for part in (reason, caution) if part) or None
