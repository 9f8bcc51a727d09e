"""Metrics: what one trace says in figures, each with its definition, its needs and its source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.metrics.registry import (
    PRIMARIES,
    all_metrics,
    catalogue,
    light_metrics,
    metric_named,
    needs_of,
    requested_metrics,
)
from analysis.metrics.value import MetricValue
from foundation.contract.metric import Metric
from foundation.contract.needs import Needs, Probe, Request

if TYPE_CHECKING:
    from analysis.trace.recording import Recording
    from analysis.trace_processor import EngineChoice

__all__ = [
    "PRIMARIES",
    "Metric",
    "MetricValue",
    "Needs",
    "Probe",
    "Request",
    "all_metrics",
    "catalogue",
    "compute",
    "light_metrics",
    "metric_named",
    "needs_of",
    "requested_metrics",
]


def compute(
    trace: Path,
    names: Iterable[str] | None = None,
    engine: EngineChoice | None = None,
    *,
    lossy: bool = False,
    watch: Callable[[Recording], None] | None = None,
) -> list[MetricValue]:
    """Figures of one trace in the order of ``names`` (None: every metric).

    TraceError if the trace cannot be read, is not whole, or has no thread of role reclaim
    where one is asked for; UsageError for an unknown name; HostError without an engine.
    With ``lossy`` a trace that is not whole is read all the same, and every value carries
    the reasons as a caution. ``watch`` is called once with the loaded trace, for what is not
    one figure.
    """
    # Here, so that the registry costs no import of an engine.
    from analysis.metrics.evaluation import evaluate

    return evaluate(trace, names, engine, lossy=lossy, watch=watch)
