"""Metrics: what one trace says in figures, each with its definition, its needs and its source."""

from analysis.metrics.definition import Metric, MetricValue, Needs
from analysis.metrics.registry import PRIMARIES, all_metrics, metric_named, needs_of

__all__ = ["PRIMARIES", "Metric", "MetricValue", "Needs", "all_metrics", "metric_named", "needs_of"]
