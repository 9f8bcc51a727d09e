"""Medians over blocks of metrics that are not compared: of one kernel alone, or of all side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from analysis.judging.judgement import Judgement
from foundation.contract.metric import Metric


@dataclass(frozen=True)
class Medians:
    """A row of ``table``: a metric's medians over valid blocks by scenario or variant (None: unknown)."""

    table: str
    metric: Metric
    medians: dict[str, float | None]


def one_sided(judgement: Judgement) -> tuple[Medians, ...]:
    """Metrics that only a kernel with a compression thread has: a table for each such variant.

    Columns are the scenarios. Ordered by variant, then metric; a metric that is unknown in all
    scenarios is omitted.
    """
    campaign = judgement.campaign
    metrics = [metric for metric in judgement.metrics.values() if metric.shown.one_sided]
    tables: list[Medians] = []
    for variant in campaign.variants:
        places = {scenario: (scenario, variant.name) for scenario in campaign.scenarios}
        known = _known(
            Medians(variant.name, metric, _medians(judgement, metric, places)) for metric in metrics
        )
        if any(value for row in known for value in row.medians.values()):
            tables += known
    return tuple(tables)


def side_by_side(judgement: Judgement) -> tuple[Medians, ...]:
    """Metrics recorded on request, of all variants; they explain, and decide nothing.

    A table for each title and scenario with the variants as columns; a metric that is unknown of
    all variants is omitted.
    """
    campaign = judgement.campaign
    titled = [metric for metric in judgement.metrics.values() if metric.shown.side_by_side]
    rows: list[Medians] = []
    for title in dict.fromkeys(metric.shown.side_by_side for metric in titled):
        for scenario in campaign.scenarios:
            places = {variant.name: (scenario, variant.name) for variant in campaign.variants}
            rows += [
                Medians(f"{title}, {scenario}", metric, _medians(judgement, metric, places))
                for metric in titled
                if metric.shown.side_by_side == title
            ]
    return tuple(_known(rows))


def _known(rows: Iterable[Medians]) -> list[Medians]:
    return [row for row in rows if any(value is not None for value in row.medians.values())]


def _medians(
    judgement: Judgement, metric: Metric, places: Mapping[str, tuple[str, str]]
) -> dict[str, float | None]:
    """For each (scenario, variant) the median over its valid blocks that know the metric."""
    medians: dict[str, float | None] = {}
    for column, place in places.items():
        values = [
            figures.value(metric).value
            for figures in judgement.blocks.values()
            if (figures.block.place.scenario, figures.block.place.variant) == place
            and figures.block.outcome == "valid"
            and not figures.void_reasons
        ]
        known = [value for value in values if value is not None]
        medians[column] = median(known) if known else None
    return medians
