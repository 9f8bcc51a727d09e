"""The noise floor: how much one kernel under two names differs from itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from analysis.stats.effect import PairValue, differences, effect_of, working_scale
from foundation.comparison import Scale


@dataclass(frozen=True)
class NoiseFloor:
    """One metric of an A/A comparison on ``scale`` (log ratio, or difference in the unit).

    ``typical`` is the median absolute pair difference, ``spread`` their standard deviation, ``bias``
    the estimated effect, ``low`` and ``high`` its 95 % interval, which must contain 0. An effect of
    another campaign below ``typical`` is no larger than the difference of two boots of one kernel.
    """

    scenario: str
    metric: str
    variant: str
    scale: Scale
    pairs: int
    typical: float
    spread: float | None
    bias: float
    low: float | None
    high: float | None
    p: float


def noise_floor(
    scenario: str, metric: str, variant: str, wanted: Scale, values: Sequence[PairValue]
) -> NoiseFloor | None:
    """The noise floor over the pairs of an A/A comparison; None without a pair."""
    if not values:
        return None
    scale = working_scale(wanted, values)
    effect = effect_of(values, scale)
    return NoiseFloor(
        scenario=scenario,
        metric=metric,
        variant=variant,
        scale=scale,
        pairs=effect.pairs,
        typical=median(abs(difference) for difference in differences(values, scale).tolist()),
        spread=effect.spread,
        bias=effect.estimate,
        low=effect.wide.low if effect.wide else None,
        high=effect.wide.high if effect.wide else None,
        p=effect.p,
    )
