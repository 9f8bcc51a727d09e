"""Medians over blocks of what is not compared: of one kernel alone, or of all of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from analysis.judging.judgement import Judgement
from foundation.contract.metric import Metric


@dataclass(frozen=True)
class Medians:
    """A line of ``table``: a metric's medians over valid blocks by scenario or variant, None: unknown."""

    table: str
    metric: Metric
    medians: dict[str, float | None]


def one_sided(judgement: Judgement) -> tuple[Medians, ...]:
    """Figures that only a kernel with a compression thread has: a table for each such variant.

    Columns are the scenarios. In the order of variants, then metrics; a metric unknown in all
    scenarios is left out.
    """
    campaign = judgement.campaign
    metrics = [metric for metric in judgement.metrics.values() if metric.shown.one_sided]
    found: list[Medians] = []
    for variant in campaign.variants:
        rows = [
            Medians(
                variant.name,
                metric,
                {
                    scenario: _median(judgement, scenario, variant.name, metric)
                    for scenario in campaign.scenarios
                },
            )
            for metric in metrics
        ]
        known = [row for row in rows if any(value is not None for value in row.medians.values())]
        if any(value for row in known for value in row.medians.values()):
            found += known
    return tuple(found)


def side_by_side(judgement: Judgement) -> tuple[Medians, ...]:
    """Figures that were recorded on request, of all variants: they explain, and decide nothing.

    A table for each title and scenario, variants as columns; what no variant knows is left out.
    """
    campaign = judgement.campaign
    titled = [metric for metric in judgement.metrics.values() if metric.shown.side_by_side]
    rows = [
        Medians(
            f"{title}, {scenario}",
            metric,
            {
                variant.name: _median(judgement, scenario, variant.name, metric)
                for variant in campaign.variants
            },
        )
        for title in dict.fromkeys(metric.shown.side_by_side for metric in titled)
        for scenario in campaign.scenarios
        for metric in titled
        if metric.shown.side_by_side == title
    ]
    return tuple(row for row in rows if any(value is not None for value in row.medians.values()))


def _median(judgement: Judgement, scenario: str, variant: str, metric: Metric) -> float | None:
    """Over the valid blocks of a variant that know the metric; None if there are none."""
    values = [
        figures.value(metric).value
        for figures in judgement.blocks.values()
        if (figures.block.place.scenario, figures.block.place.variant) == (scenario, variant)
        and figures.block.outcome == "valid"
        and not figures.void_reasons
    ]
    known = [value for value in values if value is not None]
    return median(known) if known else None
