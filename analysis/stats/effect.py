"""The effect of one metric over the pairs of one comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats.estimate import hodges_lehmann
from analysis.stats.signflip import Floats, Interval, SignFlips
from foundation.comparison import Scale

LEVEL = 0.95
#: The interval of two one-sided tests at 5 %.
EQUIVALENCE_LEVEL = 0.90


@dataclass(frozen=True)
class PairValue:
    """The two block values of one pair, in the metric's unit. ``pair`` is its number."""

    pair: int
    baseline: float
    variant: float


@dataclass(frozen=True)
class Change:
    """An effect as a reader knows it: the ratio variant / baseline, or the difference in the unit.

    ``low`` and ``high`` are the ends of its interval of exact ``level``; all None for one pair.
    """

    scale: Scale
    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None


@dataclass(frozen=True)
class Effect:
    """Estimate, intervals and p on the working scale (natural log of the ratio, or difference).

    ``wide`` is the 95 % interval and ``narrow`` the 90 % one of two one-sided tests; both
    are None for one pair. ``spread`` is the standard deviation of the pair differences.
    """

    scale: Scale
    pairs: int
    estimate: float
    wide: Interval | None
    narrow: Interval | None
    p: float
    spread: float | None

    def shown(self, value: float) -> float:
        """A value of the working scale as a reader knows it: a ratio, or a difference."""
        return math.exp(value) if self.scale == "ratio" else value

    @property
    def change(self) -> Change:
        """The estimate with its 95 % interval."""
        return self._as_change(self.wide)

    @property
    def equivalence(self) -> Change:
        """The estimate with the interval that SAME is judged by."""
        return self._as_change(self.narrow)

    def _as_change(self, interval: Interval | None) -> Change:
        value = self.shown(self.estimate)
        if interval is None:
            return Change(self.scale, value)
        return Change(
            self.scale, value, self.shown(interval.low), self.shown(interval.high), interval.level
        )


def working_scale(wanted: Scale, values: Sequence[PairValue]) -> Scale:
    """``difference`` where the metric asks for it or any value is 0 or below, else ``ratio``."""
    if wanted == "ratio" and all(value.baseline > 0 and value.variant > 0 for value in values):
        return "ratio"
    return "difference"


def effect_of(values: Sequence[PairValue], scale: Scale) -> Effect:
    """The effect over at least one pair. ValueError for none, or a ratio of values not above 0."""
    baseline = np.array([value.baseline for value in values], dtype=np.float64)
    variant = np.array([value.variant for value in values], dtype=np.float64)
    if scale == "ratio":
        if np.any(baseline <= 0) or np.any(variant <= 0):
            raise ValueError("a log ratio needs values above 0")
        differences: Floats = np.log(variant) - np.log(baseline)
    else:
        differences = variant - baseline
    flips = SignFlips(differences)
    estimate = hodges_lehmann(differences)
    return Effect(
        scale=scale,
        pairs=flips.pairs,
        estimate=estimate,
        wide=_holding(flips.interval(LEVEL), estimate),
        narrow=_holding(flips.interval(EQUIVALENCE_LEVEL), estimate),
        p=flips.p_value(),
        spread=float(np.std(differences, ddof=1)) if flips.pairs > 1 else None,
    )


def _holding(interval: Interval | None, estimate: float) -> Interval | None:
    """The interval, widened where the estimate (another statistic) lies outside it."""
    if interval is None:
        return None
    return Interval(min(interval.low, estimate), max(interval.high, estimate), interval.level)


def practical_threshold(relative: float, scale: Scale, values: Sequence[PairValue]) -> float:
    """The metric's relative threshold on the working scale.

    For ratios log(1 + t), to both sides alike, so that swapping the variants swaps the
    verdict; for differences the share of the baseline's median.
    """
    if scale == "ratio":
        return math.log1p(relative)
    return relative * abs(float(np.median([value.baseline for value in values])))
