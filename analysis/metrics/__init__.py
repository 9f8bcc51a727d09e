"""Metrics: the figures of one trace, each with its definition, its needs and its source."""

from __future__ import annotations

from collections.abc import Iterable
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
from analysis.metrics.value import MetricValue, changed_since_recorded
from foundation.contract.metric import Metric
from foundation.contract.needs import Needs, Probe, Request

if TYPE_CHECKING:
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
) -> list[MetricValue]:
    """Figures of one trace in the order of ``names`` (None: all metrics), as a command prints them.

    A trace in a results folder must be the one that was recorded. Errors and ``lossy`` as of
    `analysis.metrics.evaluation.evaluate`.
    """
    # A late import, so that the registry does not import a trace processor.
    from analysis.metrics.evaluation import evaluate

    evaluated = evaluate(trace, names, engine, against=changed_since_recorded(trace), lossy=lossy)
    return [
        MetricValue(trace, name, figure.value, metric_named(name).unit, figure.reason, evaluated.engine)
        for name, figure in (evaluated.figures if lossy else evaluated.known()).items()
    ]
