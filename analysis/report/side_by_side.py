"""Figures that were recorded on request, of all variants side by side: they explain, and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analysis.judging.judgement import Judgement
from analysis.report.one_sided import median_of_blocks
from foundation.contract.metric import Metric

#: Families that every kernel has, in the order shown, with what they are called.
FAMILIES: Final = {
    "reclaim cycle": "Parts of kswapd's reclaim cycles",
    "swap faults": "Faults on swapped-out pages",
}


@dataclass(frozen=True)
class SideBySide:
    """A metric in one scenario: median over the valid blocks by variant, None where unknown."""

    title: str
    scenario: str
    metric: Metric
    medians: dict[str, float | None]


def side_by_side(judgement: Judgement) -> tuple[SideBySide, ...]:
    """Figures of `FAMILIES`, by family, scenario and metric; one that no variant knows is left out."""
    campaign = judgement.campaign
    rows = [
        SideBySide(
            title,
            scenario,
            metric,
            {
                variant.name: median_of_blocks(judgement, scenario, variant.name, metric)
                for variant in campaign.variants
            },
        )
        for family, title in FAMILIES.items()
        for scenario in campaign.scenarios
        for metric in judgement.metrics.values()
        if metric.family == family
    ]
    return tuple(row for row in rows if any(value is not None for value in row.medians.values()))
