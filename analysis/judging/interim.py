"""Estimates of a campaign's primary metrics while it runs. Never a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.judging.pairing import Pair, pair_values
from analysis.judging.pipeline import figures_of
from analysis.judging.wording import short_value
from analysis.stats.effect import differences, working_scale
from analysis.stats.estimate import hodges_lehmann
from foundation.comparison import Scale
from foundation.contract.metric import Metric
from foundation.progress import Progress

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice


@dataclass(frozen=True)
class Interim:
    """One primary metric of one scenario after ``pairs`` of ``planned`` pairs.

    ``change`` is the Hodges-Lehmann estimate, and ``low`` and ``high`` the smallest and largest
    of the single pairs (not a confidence interval): ratios variant / baseline, or on the scale
    ``difference`` in ``unit``. All three are None before the first valid pair.
    """

    scenario: str
    metric: str
    baseline: str
    variant: str
    unit: str
    pairs: int
    planned: int
    scale: Scale
    change: float | None
    low: float | None
    high: float | None

    def change_text(self) -> str:
        """The estimate, such as ``-28.1%`` or ``+12.0 ms``; ``-`` before the first valid pair."""
        if self.change is None:
            return "-"
        unit = f" {self.unit}" if self.scale == "difference" and self.unit != "1" else ""
        return short_value(self.change, self.scale) + unit

    def range_text(self) -> str:
        """The range of the single pairs; empty for fewer than two."""
        if self.low is None or self.high is None or self.pairs < 2:
            return ""
        return f"{short_value(self.low, self.scale)} to {short_value(self.high, self.scale)}"


def interim(
    results: Path, engine: EngineChoice | None = None, *, progress: Progress | None = None
) -> tuple[Interim, ...]:
    """Estimates of all primaries over the valid pairs on disk, in the order of the verdicts.

    Reads the new traces, and stores their figures in metrics.parquet for the judgement; writes no
    verdict. ResultsError for a damaged folder, HostError without an engine.
    """
    measured = figures_of(results, engine, progress=progress)
    return tuple(
        _one(scenario, measured.campaign.baseline.name, variant, measured.metrics[name], pairs)
        for (scenario, variant), pairs in measured.pairs.items()
        for name in measured.campaign.primaries
    )


def _one(scenario: str, baseline: str, variant: str, metric: Metric, pairs: tuple[Pair, ...]) -> Interim:
    values = pair_values(pairs, metric).values
    scale = working_scale(metric.scale, values)
    changes = differences(values, scale)
    shown = math.exp if scale == "ratio" else float
    return Interim(
        scenario=scenario,
        metric=metric.name,
        baseline=baseline,
        variant=variant,
        unit=metric.unit,
        pairs=len(values),
        planned=len(pairs),
        scale=scale,
        change=shown(hodges_lehmann(changes)) if values else None,
        low=shown(changes.min()) if values else None,
        high=shown(changes.max()) if values else None,
    )
