"""The figure of one metric: a value, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from foundation.contract.metric import Metric


@dataclass(frozen=True)
class Figure:
    """``value`` None: unknown, because of ``reason``. With a value, ``reason`` is a caution."""

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError("an unknown figure needs a reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value} is not a figure")

    def cautioned(self, caution: str | None) -> Figure:
        """The same value with this caution; unchanged if it is unknown or there is no caution."""
        return self if self.value is None or caution is None else Figure(self.value, caution)


def unknown(reason: str) -> Figure:
    """No value, and why."""
    return Figure(None, reason)


def all_unknown(metrics: Iterable[Metric], reason: str) -> dict[str, Figure]:
    """Every one of these metrics unknown, by name, for one reason."""
    return {metric.name: unknown(reason) for metric in metrics}


def total(parts: Iterable[Figure]) -> Figure:
    """The sum; the first part that is unknown makes it unknown."""
    value = 0.0
    for part in parts:
        if part.value is None:
            return part
        value += part.value
    return Figure(value)


def ratio(above: Figure, below: Figure, *, zero: str, factor: float = 1.0) -> Figure:
    """``factor`` * above / below; unknown if either is, or for the reason ``zero`` if ``below`` is 0."""
    if above.value is None:
        return above
    if below.value is None:
        return below
    if below.value == 0:
        return unknown(zero)
    return Figure(factor * above.value / below.value, above.reason or below.reason)


def percentile(values: list[float], share: float, *, minimum: int, what: str) -> Figure:
    """The ``share`` quantile by linear interpolation between order statistics.

    This is type 7 of Hyndman and Fan (1996), numpy's ``linear``: rank h = (n - 1) * share.
    Unknown below ``minimum`` values, where the answer would be one of the extremes.
    """
    if len(values) < minimum:
        return unknown(f"{len(values)} {what}, at least {minimum} are needed")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * share
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return Figure(ordered[low] + (ordered[high] - ordered[low]) * (rank - low))
