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
    """An effect as reports show it: the ratio variant / baseline, or the difference in the unit.

    ``low`` and ``high`` are the ends of its interval, ``level`` is its exact level; None for one pair.
    """

    scale: Scale
    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None


@dataclass(frozen=True)
class Effect:
    """Estimate, intervals and p on the working scale (natural log of the ratio, or difference).

    ``wide`` is the 95 % interval, ``narrow`` the 90 % interval of two one-sided tests; both are None
    for one pair. ``spread`` is the standard deviation of the pair differences.
    """

    scale: Scale
    pairs: int
    estimate: float
    wide: Interval | None
    narrow: Interval | None
    p: float
    spread: float | None

    def shown(self, value: float) -> float:
        """A value of the working scale as reports show it: a ratio, or a difference."""
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
    """``difference`` if the metric asks for it or any value is 0 or below, else ``ratio``."""
    if wanted == "ratio" and all(value.baseline > 0 and value.variant > 0 for value in values):
        return "ratio"
    return "difference"


def differences(values: Sequence[PairValue], scale: Scale) -> Floats:
    """Pair differences on the working scale, shape (pairs,). ValueError for a ratio of values <= 0."""
    sides = np.array([(value.baseline, value.variant) for value in values], dtype=np.float64).reshape(-1, 2)
    if scale == "ratio":
        if np.any(sides <= 0):
            raise ValueError("a log ratio needs values above 0")
        sides = np.log(sides)
    result: Floats = sides[:, 1] - sides[:, 0]
    return result


def effect_of(values: Sequence[PairValue], scale: Scale) -> Effect:
    """The effect over at least one pair. ValueError for none, or a ratio of values not above 0."""
    of_pairs = differences(values, scale)
    flips = SignFlips(of_pairs)
    estimate = hodges_lehmann(of_pairs)
    return Effect(
        scale=scale,
        pairs=flips.pairs,
        estimate=estimate,
        wide=_holding(flips.interval(LEVEL), estimate),
        narrow=_holding(flips.interval(EQUIVALENCE_LEVEL), estimate),
        p=flips.p_value(),
        spread=float(np.std(of_pairs, ddof=1)) if flips.pairs > 1 else None,
    )


def _holding(interval: Interval | None, estimate: float) -> Interval | None:
    """The interval, widened if the estimate (another statistic) lies outside it."""
    if interval is None:
        return None
    return Interval(min(interval.low, estimate), max(interval.high, estimate), interval.level)


def practical_threshold(relative: float, scale: Scale, values: Sequence[PairValue]) -> float:
    """The metric's relative threshold on the working scale.

    For ratios log(1 + t) in both directions, so that swapping the variants swaps the verdict; for
    differences that share of the baseline's median.
    """
    if scale == "ratio":
        return math.log1p(relative)
    return relative * abs(float(np.median([value.baseline for value in values])))
