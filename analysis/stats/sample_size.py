"""How many pairs a decision needs, and how large an effect a number of pairs can detect.

Planning figures, not tests: they assume normal pair differences with the observed spread, and
use Student's t where the test itself is exact. The relative efficiency of the
sign-flip test on the sum is 1 against t on normal differences.
"""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Final

import numpy as np

from analysis.stats.signflip import Floats

#: Fewer valid pairs decide nothing: with 5 the smallest p is 0.0625.
MIN_PAIRS: Final = 6
#: Probability of a decision that the planning figures aim at.
POWER: Final = 0.80
#: More pairs than this are not a plan.
MAX_PAIRS: Final = 1000


def smallest_p(pairs: int) -> float:
    """The smallest p that the exact two-sided test can reach (2 / 2^n)."""
    return min(1.0, 2.0 / 2.0**pairs)


def pairs_for_p(alpha: float, tests: int) -> int:
    """Fewest pairs with which the smallest of ``tests`` p values can pass Holm at ``alpha``."""
    return next(n for n in itertools.count(MIN_PAIRS) if smallest_p(n) * tests < alpha)


@cache
def _standard_errors(tail: float) -> Floats:
    """Distance in standard errors that is detected with `POWER`, for n = 2 .. `MAX_PAIRS`."""
    # Half of the time that a command takes to start, and few of them need it.
    from scipy.stats import t as student

    freedom = np.arange(1, MAX_PAIRS, dtype=np.float64)
    result: Floats = student.ppf(1.0 - tail, freedom) + student.ppf(POWER, freedom)
    return result


def pairs_for_distance(distance: float, spread: float, tail: float) -> int | None:
    """Fewest pairs that distinguish ``distance`` from 0 with probability `POWER`.

    ``spread`` is the standard deviation of the pair differences in the unit of ``distance``,
    ``tail`` the one-sided level of the test. None beyond `MAX_PAIRS`.
    """
    if distance <= 0:
        return None
    counts = np.arange(2, MAX_PAIRS + 1, dtype=np.float64)
    enough = np.flatnonzero(distance * np.sqrt(counts) >= _standard_errors(tail) * spread)
    return int(counts[enough[0]]) if enough.size else None


def pairs_needed(
    *, effect: float, spread: float, threshold: float, alpha: float, tests: int, have: int
) -> int | None:
    """Pairs of a new campaign that would decide, if effect and spread are as observed.

    All on the working scale. An effect beyond the threshold must be distinguished from the threshold
    at ``alpha``, and from 0 at ``alpha / tests``; one inside it must have its 90 % interval inside.
    At least ``have + 1``. None beyond `MAX_PAIRS`.
    """
    size = abs(effect)
    if size > threshold:
        wanted = [
            pairs_for_distance(size - threshold, spread, alpha / 2),
            pairs_for_distance(size, spread, alpha / tests / 2),
            pairs_for_p(alpha, tests),
        ]
    else:
        wanted = [pairs_for_distance(threshold - size, spread, alpha), MIN_PAIRS]
    known = [number for number in wanted if number is not None]
    return max(have + 1, *known) if len(known) == len(wanted) else None


def detectable_effect(
    *, spread: float, threshold: float, alpha: float, tests: int, pairs: int
) -> float | None:
    """Smallest effect that ``pairs`` would call a change with probability `POWER`.

    On the working scale. None if no effect, however large, can reach ``alpha``.
    """
    if pairs < pairs_for_p(alpha, tests) or pairs > MAX_PAIRS:
        return None
    error = spread / math.sqrt(pairs)
    beyond = threshold + float(_standard_errors(alpha / 2)[pairs - 2]) * error
    apart = float(_standard_errors(alpha / tests / 2)[pairs - 2]) * error
    return max(beyond, apart)
