"""Figures that only some variants have: their medians are told, nothing can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

from analysis.judging.judgement import Judgement
from foundation.contract.metric import Metric

#: Families that a kernel without the thread cannot have.
FAMILIES: Final = ("compression queue", "compression scheduling")


@dataclass(frozen=True)
class OneSided:
    """A metric of one variant: median over its valid blocks by scenario, None where unknown."""

    variant: str
    metric: Metric
    medians: dict[str, float | None]


def one_sided(judgement: Judgement) -> tuple[OneSided, ...]:
    """Figures of `FAMILIES` for each variant that knows its queue or has a thread to be woken.

    In the order of variants, then metrics; a metric unknown in all scenarios is left out.
    """
    campaign = judgement.campaign
    found = []
    for variant in campaign.variants:
        rows = [
            OneSided(
                variant.name,
                metric,
                {
                    scenario: median_of_blocks(judgement, scenario, variant.name, metric)
                    for scenario in campaign.scenarios
                },
            )
            for metric in judgement.metrics.values()
            if metric.family in FAMILIES
        ]
        known = [row for row in rows if any(value is not None for value in row.medians.values())]
        if any(value for row in known for value in row.medians.values()):
            found += known
    return tuple(found)


def median_of_blocks(judgement: Judgement, scenario: str, variant: str, metric: Metric) -> float | None:
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
