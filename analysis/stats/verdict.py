"""The rule that turns an effect into a verdict: fixed before any data, a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from analysis.stats.effect import Effect
from analysis.stats.sample_size import (
    MAX_PAIRS,
    MIN_PAIRS,
    pairs_for_p,
    pairs_needed,
    smallest_p,
)
from foundation.comparison import Direction

Word = Literal["IMPROVED", "REGRESSED", "CHANGED", "SAME", "UNDECIDED"]

#: Nothing is decided if a larger share of pairs is void.
MAX_VOID_SHARE: Final = 0.20


@dataclass(frozen=True)
class Situation:
    """What is known about a comparison apart from the effect itself.

    Counts are pairs of one scenario and comparison: ``planned``, ``finished`` (both blocks ended, with
    any outcome), ``void``, ``failed`` (a kernel failure), and ``missing`` (valid, but the metric is
    unknown in one of the blocks).
    """

    planned: int
    finished: int
    void: int
    failed: int
    missing: int
    missing_reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """A word, its reason, and for UNDECIDED how many pairs would decide."""

    word: Word
    reason: str
    pairs_needed: int | None = None


def decide(
    effect: Effect | None,
    situation: Situation,
    *,
    direction: Direction,
    threshold: float,
    p_adjusted: float | None,
    alpha: float,
    tests: int,
) -> Verdict:
    """Judge one metric.

    ``threshold`` is on the effect's working scale; ``p_adjusted`` is Holm's p of a primary or the plain
    p of an exploratory metric; ``tests`` is how many were adjusted together.
    """
    obstacle = _obstacle(effect, situation)
    if obstacle is not None or effect is None or effect.wide is None or effect.narrow is None:
        return Verdict("UNDECIDED", obstacle or "no pair with a value", None)
    significant = p_adjusted is not None and p_adjusted < alpha
    if significant:
        if effect.wide.low > threshold:
            return Verdict(_change(direction, "up"), "the interval lies above the threshold")
        if effect.wide.high < -threshold:
            return Verdict(_change(direction, "down"), "the interval lies below the threshold")
    if -threshold <= effect.narrow.low and effect.narrow.high <= threshold:
        return Verdict("SAME", "the 90 % interval lies inside the threshold")
    if significant:
        why = "there is a difference, but the interval reaches inside the threshold"
    elif effect.pairs < pairs_for_p(alpha, tests):
        floor = smallest_p(effect.pairs) * tests
        why = f"with {effect.pairs} pairs and {tests} primaries p_holm cannot be below {floor:.3f}"
    elif abs(effect.estimate) <= threshold:
        why = "no difference shown, but the 90 % interval reaches beyond the threshold"
    else:
        why = f"p is not below {alpha:g}"
    needed = pairs_needed(
        effect=effect.estimate,
        spread=effect.spread or 0.0,
        threshold=threshold,
        alpha=alpha,
        tests=tests,
        have=effect.pairs,
    )
    outlook = (
        f"about {needed} pairs would decide" if needed else f"more than {MAX_PAIRS} pairs would be needed"
    )
    return Verdict("UNDECIDED", f"{why}; {outlook}", needed)


def _change(direction: Direction, way: Literal["up", "down"]) -> Word:
    if direction == "none":
        return "CHANGED"
    wanted = "up" if direction == "higher" else "down"
    return "IMPROVED" if way == wanted else "REGRESSED"


def _obstacle(effect: Effect | None, situation: Situation) -> str | None:
    """Why no effect can be judged, whatever it is; None if it can."""
    if situation.failed:
        return f"the kernel failed in {situation.failed} of {situation.finished} finished pairs"
    if situation.finished < situation.planned:
        return (
            f"unfinished: {situation.finished} of {situation.planned} pairs; the figures are interim,"
            " a verdict before the planned end would be found too often"
        )
    if situation.void > MAX_VOID_SHARE * situation.finished:
        return f"{situation.void} of {situation.finished} pairs are void, more than {MAX_VOID_SHARE:.0%}"
    usable = situation.finished - situation.void
    if situation.missing > MAX_VOID_SHARE * usable:
        why = f": {situation.missing_reason}" if situation.missing_reason else ""
        return f"not known in {situation.missing} of {usable} valid pairs{why}"
    pairs = 0 if effect is None else effect.pairs
    if pairs < MIN_PAIRS:
        plural = "" if pairs == 1 else "s"
        return f"{pairs} valid pair{plural}; fewer than {MIN_PAIRS} are exploratory and decide nothing"
    return None
