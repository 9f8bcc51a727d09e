"""The exact sign-flip test over pairs, and the interval that inverts it.

Under the null hypothesis that the pair differences are symmetric about a value, the sign
of each (difference - value) is arbitrary, because the order within pairs is randomised.
The statistic is the sum. Flipping the signs of a subset A makes the sum at least as large
as observed if and only if mean(A) <= value. Counting subset means therefore answers the test
for every value at once, and its inversion is a pair of order statistics of the subset means
(J. A. Hartigan, Using subsample values as typical values, JASA 64, 1969).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Up to this many pairs all 2^n sign assignments are counted.
EXACT_MAX_PAIRS: Final = 16
#: With more, this many random assignments are drawn; p is (b + 1) / (m + 1).
SAMPLED_ASSIGNMENTS: Final = 49_999
SAMPLING_SEED: Final = 20_250_430

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A confidence interval; ``level`` is its exact level, which depends on the number of pairs."""

    low: float
    high: float
    level: float


class SignFlips:
    """All sign assignments of ``differences``; a random sample of them beyond `EXACT_MAX_PAIRS`.

    ``total`` is the number of assignments counted, an assignment and its mirror image as one: no p
    value is below ``1 / total``. ValueError for no difference, or one that is not finite.
    """

    def __init__(self, differences: Floats) -> None:
        values = np.asarray(differences, dtype=np.float64)
        if values.ndim != 1 or values.size == 0:
            raise ValueError("sign flips need at least one difference")
        if not np.all(np.isfinite(values)):
            raise ValueError("a difference is not finite")
        self.pairs = int(values.size)
        self._scale = float(np.max(np.abs(values)))
        values, mirrored = _canonical(values)
        if self.pairs <= EXACT_MAX_PAIRS:
            means = _proper_subset_means(values)
            self.total = 2 ** (self.pairs - 1)
            self._unflipped = 0
        else:
            means, self._unflipped = _sampled_subset_means(values)
            self.total = SAMPLED_ASSIGNMENTS + 1
        self._means = np.sort(-means if mirrored else means)

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Two-sided p of the hypothesis that the differences are symmetric about this value."""
        slack = 1e-12 * max(self._scale, abs(hypothesis))
        below = int(np.searchsorted(self._means, hypothesis + slack, side="right"))
        above = self._means.size - int(np.searchsorted(self._means, hypothesis - slack, side="left"))
        extreme = 1 + self._unflipped + min(below, above)
        return float(min(1.0, extreme / self.total))

    def interval(self, level: float) -> Interval | None:
        """All hypotheses with p > 1 - level, as a closed interval.

        With too few pairs for ``level`` it is the widest interval that they allow (their range), with
        its own lower level. None for one pair.
        """
        if self.pairs < 2:
            return None
        rank = max(1, int(np.floor((1.0 - level) * self.total * (1 + 1e-12))))
        position = max(0, rank - 1 - self._unflipped)
        low, high = self._means[position], self._means[self._means.size - 1 - position]
        return Interval(float(low), float(high), 1.0 - rank / self.total)


def _canonical(values: Floats) -> tuple[Floats, bool]:
    """The values in an order that depends on neither their own order nor their sign.

    Rounding and random sampling then give the same answer for the same pairs in another order, and
    the mirrored answer for swapped variants. The flag marks mirrored values.
    """
    upright, mirrored = np.sort(values), np.sort(-values)
    swap = tuple(mirrored) > tuple(upright)
    return (mirrored, True) if swap else (upright, False)


def _proper_subset_means(values: Floats) -> Floats:
    """Means of all subsets except the empty and the full one, shape (2^n - 2,)."""
    sums = np.zeros(1)
    sizes = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
        sizes = np.concatenate([sizes, sizes + 1.0])
    result: Floats = sums[1:-1] / sizes[1:-1]
    return result


def _sampled_subset_means(values: Floats) -> tuple[Floats, int]:
    """Means of random subsets and of their complements, and how many samples flipped no or every sign."""
    draw = np.random.default_rng(SAMPLING_SEED)
    flipped = draw.integers(0, 2, size=(SAMPLED_ASSIGNMENTS, values.size), dtype=np.int8).astype(bool)
    sizes = flipped.sum(axis=1)
    proper = (sizes > 0) & (sizes < values.size)
    flipped, sizes = flipped[proper], sizes[proper]
    sums = flipped @ values
    means = np.concatenate([sums / sizes, (values.sum() - sums) / (values.size - sizes)])
    return means, int(SAMPLED_ASSIGNMENTS - proper.sum())
