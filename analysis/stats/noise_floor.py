"""The noise floor: what one kernel under two names shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.stats.effect import PairValue, effect_of, working_scale
from foundation.comparison import Scale


@dataclass(frozen=True)
class NoiseFloor:
    """One metric of an A/A comparison, on the scale named (log ratio, or difference in the unit).

    ``typical`` is the median size of a pair difference, ``spread`` their standard
    deviation, ``bias`` the estimated effect, with ``low`` and ``high`` its 95 % interval;
    it must hold 0. An effect of another campaign smaller than ``typical`` is inside what
    two boots of the same kernel differ by.
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
    sizes = sorted(abs(effect_of([value], scale).estimate) for value in values)
    middle = len(sizes) // 2
    typical = sizes[middle] if len(sizes) % 2 else (sizes[middle - 1] + sizes[middle]) / 2
    return NoiseFloor(
        scenario=scenario,
        metric=metric,
        variant=variant,
        scale=scale,
        pairs=effect.pairs,
        typical=typical,
        spread=effect.spread,
        bias=effect.estimate,
        low=effect.wide.low if effect.wide else None,
        high=effect.wide.high if effect.wide else None,
        p=effect.p,
    )
