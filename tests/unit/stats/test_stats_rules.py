"""Holm, planning figures and the verdict rule."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.stats import holm
from analysis.stats.effect import Effect, PairValue, effect_of, practical_threshold, working_scale
from analysis.stats.sample_size import (
    MAX_PAIRS,
    detectable_effect,
    pairs_for_distance,
    pairs_for_p,
    pairs_needed,
)
from analysis.stats.verdict import Situation, Verdict, decide
from foundation.comparison import Direction

P = st.one_of(st.none(), st.floats(0, 1))


def test_holm_by_hand() -> None:
    adjusted = holm.adjust({"a": 0.01, "b": 0.04, "c": 0.03})
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_an_unknown_primary_still_counts_as_a_test() -> None:
    adjusted = holm.adjust({"a": 0.02, "b": None, "c": None})
    assert adjusted["a"] == pytest.approx(0.06)
    assert adjusted["b"] is None


@given(st.dictionaries(st.sampled_from("abc"), P, min_size=1))
def test_holm_lies_between_plain_and_bonferroni_and_keeps_the_order(p: dict[str, float | None]) -> None:
    adjusted = holm.adjust(p)
    assert list(adjusted) == list(p)
    for name, plain in p.items():
        if plain is not None:
            assert plain <= adjusted[name] <= min(1.0, len(p) * plain) + 1e-12  # type: ignore[operator]
    for one, other in itertools.permutations(p, 2):
        a, b = p[one], p[other]
        if a is not None and b is not None and a < b:
            assert adjusted[one] <= adjusted[other]  # type: ignore[operator]


@given(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1), min_size=1))
def test_holm_rejects_what_the_closed_test_rejects(p: dict[str, float]) -> None:
    """Holm is the closure of Bonferroni: a hypothesis goes if every set that holds it goes."""
    adjusted = holm.adjust(dict(p))
    for name in p:
        closed = all(
            min(p[other] for other in group) * len(group) < 0.05
            for size in range(1, len(p) + 1)
            for group in itertools.combinations(p, size)
            if name in group
        )
        assert (adjusted[name] < 0.05) == closed  # type: ignore[operator]


@pytest.mark.parametrize(("tests", "pairs"), [(1, 6), (2, 7), (3, 7), (4, 8)])
def test_fewest_pairs_that_can_pass_holm(tests: int, pairs: int) -> None:
    assert pairs_for_p(0.05, tests) == pairs
    p = dict.fromkeys("abcd"[:tests], 2.0 / 2.0**pairs)
    assert all(value < 0.05 for value in holm.adjust(p).values() if value is not None)


def test_pairs_for_a_distance_as_tables_have_it() -> None:
    # One-sample t, two-sided 5 %, power 80 %: d = 0.5 needs 34, d = 0.8 needs 15.
    assert pairs_for_distance(0.5, 1.0, 0.025) == pytest.approx(34, abs=1)
    assert pairs_for_distance(0.8, 1.0, 0.025) == pytest.approx(15, abs=1)


def test_hopeless_distances_have_no_number() -> None:
    assert pairs_for_distance(0.0, 1.0, 0.025) is None
    assert pairs_for_distance(0.001, 1.0, 0.025) is None
    assert pairs_needed(effect=0.05, spread=1.0, threshold=0.0499, alpha=0.05, tests=3, have=8) is None


@given(st.floats(0.01, 2), st.floats(0.01, 0.3), st.integers(7, 60))
def test_what_is_detectable_is_what_the_pairs_suffice_for(
    spread: float, threshold: float, pairs: int
) -> None:
    effect = detectable_effect(spread=spread, threshold=threshold, alpha=0.05, tests=3, pairs=pairs)
    assert effect is not None
    needed = pairs_needed(
        effect=effect * 1.0001, spread=spread, threshold=threshold, alpha=0.05, tests=3, have=0
    )
    assert needed is not None
    assert needed <= pairs


def test_nothing_is_detectable_with_too_few_pairs() -> None:
    assert detectable_effect(spread=0.1, threshold=0.05, alpha=0.05, tests=3, pairs=6) is None
    assert detectable_effect(spread=0.1, threshold=0.05, alpha=0.05, tests=3, pairs=MAX_PAIRS + 1) is None


def pairs(ratios: list[float], base: float = 100.0) -> list[PairValue]:
    return [PairValue(number, base, base * ratio) for number, ratio in enumerate(ratios)]


def judged(
    values: list[PairValue],
    *,
    direction: Direction = "lower",
    relative: float = 0.05,
    tests: int = 1,
    **changes: Any,
) -> tuple[Effect, Verdict]:
    effect = effect_of(values, working_scale("ratio", values))
    threshold = practical_threshold(relative, effect.scale, values)
    counts: dict[str, Any] = {
        "planned": len(values),
        "finished": len(values),
        "void": 0,
        "failed": 0,
        "missing": 0,
    }
    verdict = decide(
        effect,
        Situation(**{**counts, **changes}),
        direction=direction,
        threshold=threshold,
        p_adjusted=min(1.0, tests * effect.p),
        alpha=0.05,
        tests=tests,
    )
    return effect, verdict


DOWN = [0.70, 0.68, 0.72, 0.69, 0.71, 0.73, 0.67, 0.70]


def test_words_follow_direction() -> None:
    assert judged(pairs(DOWN))[1].word == "IMPROVED"
    assert judged(pairs(DOWN), direction="higher")[1].word == "REGRESSED"
    assert judged(pairs(DOWN), direction="none")[1].word == "CHANGED"


def test_nothing_measured_twice_alike_is_the_same() -> None:
    assert judged(pairs([1.0] * 8))[1].word == "SAME"
    assert judged(pairs([1.01, 0.99, 1.0, 1.02, 0.98, 1.01, 0.99, 1.0]))[1].word == "SAME"


def test_a_certain_change_that_is_too_small_to_matter_is_the_same() -> None:
    effect, verdict = judged(pairs([1.02, 1.021, 1.019, 1.02, 1.022, 1.018, 1.02, 1.021]))
    assert effect.p < 0.01
    assert verdict.word == "SAME"


def test_a_certain_change_of_uncertain_size_is_undecided() -> None:
    effect, verdict = judged(pairs([1.04, 1.09, 1.03, 1.12, 1.05, 1.10, 1.06, 1.04]))
    assert effect.p < 0.05
    assert verdict.word == "UNDECIDED"
    assert "inside the threshold" in verdict.reason
    assert verdict.pairs_needed is not None
    assert verdict.pairs_needed > 8


def test_noise_is_undecided_and_says_how_many_pairs() -> None:
    _, verdict = judged(pairs([0.7, 1.5, 1.1, 0.8, 1.3, 0.9, 1.2, 0.75]))
    assert verdict.word == "UNDECIDED"
    assert verdict.pairs_needed is not None
    assert f"about {verdict.pairs_needed} pairs" in verdict.reason


def test_five_pairs_decide_nothing() -> None:
    assert judged(pairs(DOWN[:5]))[1].reason.startswith("5 valid pairs")
    assert judged(pairs(DOWN[:6]))[1].word == "IMPROVED"


def test_six_pairs_and_three_primaries_can_never_pass_holm() -> None:
    _, verdict = judged(pairs(DOWN[:6]), tests=3)
    assert verdict.word == "UNDECIDED"
    assert "p_holm cannot be below 0.094" in verdict.reason
    assert verdict.pairs_needed == 7
    assert judged(pairs(DOWN[:7]), tests=3)[1].word == "IMPROVED"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"failed": 1}, "kernel failed"),
        ({"planned": 12}, "unfinished: 8 of 12"),
        ({"finished": 10, "planned": 10, "void": 3}, "3 of 10 pairs are void"),
        ({"finished": 10, "planned": 10, "missing": 3}, "not known in 3 of 10"),
    ],
)
def test_obstacles_stand_before_any_effect(changes: dict[str, Any], words: str) -> None:
    _, verdict = judged(pairs(DOWN), **changes)
    assert verdict.word == "UNDECIDED"
    assert words in verdict.reason


def test_a_fifth_of_void_pairs_is_still_allowed() -> None:
    assert judged(pairs(DOWN), finished=10, planned=10, void=2)[1].word == "IMPROVED"


def test_no_pair_at_all_is_undecided() -> None:
    verdict = decide(
        None,
        Situation(planned=8, finished=8, void=0, failed=0, missing=0),
        direction="lower",
        threshold=0.0,
        p_adjusted=None,
        alpha=0.05,
        tests=3,
    )
    assert verdict.word == "UNDECIDED"
    assert "0 valid pairs" in verdict.reason


def test_a_zero_moves_the_comparison_to_differences() -> None:
    values = [PairValue(n, 0.0 if n == 3 else 40.0, 20.0) for n in range(8)]
    assert working_scale("ratio", values) == "difference"
    assert working_scale("ratio", pairs(DOWN)) == "ratio"
    assert working_scale("difference", pairs(DOWN)) == "difference"
    effect = effect_of(values, "difference")
    assert effect.estimate == -20.0
    with pytest.raises(ValueError, match="above 0"):
        effect_of(values, "ratio")


def test_counts_that_are_always_zero_are_the_same() -> None:
    values = [PairValue(n, 0.0, 0.0) for n in range(8)]
    assert judged(values)[1].word == "SAME"


def test_stalls_that_appear_from_nothing_are_a_regression() -> None:
    values = [PairValue(n, 0.0, 5.0 + n) for n in range(8)]
    assert judged(values)[1].word == "REGRESSED"


def test_thresholds() -> None:
    assert practical_threshold(0.05, "ratio", pairs(DOWN)) == pytest.approx(math.log(1.05))
    assert practical_threshold(0.10, "difference", pairs(DOWN)) == pytest.approx(10.0)


OPPOSITE = {"IMPROVED": "REGRESSED", "REGRESSED": "IMPROVED", "SAME": "SAME", "UNDECIDED": "UNDECIDED"}


@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0.2, 5.0)), min_size=1, max_size=10))
def test_swapping_the_variants_swaps_the_verdict(drawn: list[tuple[float, float]]) -> None:
    there = [PairValue(n, base, base * ratio) for n, (base, ratio) in enumerate(drawn)]
    back = [PairValue(value.pair, value.variant, value.baseline) for value in there]
    one, other = judged(there), judged(back)
    assert one[0].estimate == pytest.approx(-other[0].estimate, abs=1e-12)
    assert one[0].p == other[0].p
    for a, b in ((one[0].wide, other[0].wide), (one[0].narrow, other[0].narrow)):
        if a is not None and b is not None:
            edge = math.log(1.05)
            assume(all(abs(abs(x) - edge) > 1e-9 for x in (a.low, a.high)))
            assert a.low == pytest.approx(-b.high, abs=1e-12)
    assert other[1].word == OPPOSITE[one[1].word]


@given(
    st.lists(st.floats(0.5, 2.0), min_size=6, max_size=10),
    st.sampled_from([1e-6, 0.5, 1e3, 1e9]),
)
def test_the_unit_of_the_metric_does_not_matter(ratios: list[float], factor: float) -> None:
    one, other = judged(pairs(ratios)), judged(pairs(ratios, base=100.0 * factor))
    assert one[0].estimate == pytest.approx(other[0].estimate, abs=1e-9)
    for a in (one[0].wide, one[0].narrow):
        assert a is not None
        assume(all(abs(abs(x) - math.log(1.05)) > 1e-9 for x in (a.low, a.high)))
    # Ratios that cancel exactly in one unit may miss by a rounding in the other.
    assume(one[0].p == other[0].p)
    assert one[1].word == other[1].word


@given(st.lists(st.floats(0.5, 2.0), min_size=6, max_size=12))
def test_the_interval_holds_the_estimate_and_the_narrow_lies_in_the_wide(ratios: list[float]) -> None:
    effect = effect_of(pairs(ratios), "ratio")
    assert effect.wide is not None
    assert effect.narrow is not None
    assert effect.wide.low <= effect.narrow.low <= effect.estimate <= effect.narrow.high <= effect.wide.high


@given(st.lists(st.floats(0.8, 1.25), min_size=8, max_size=12), st.floats(1.0, 4.0))
def test_a_larger_regression_never_gets_a_better_word(ratios: list[float], factor: float) -> None:
    order = {"IMPROVED": 0, "SAME": 1, "UNDECIDED": 1, "REGRESSED": 2}
    near = judged(pairs(ratios))[1].word
    far = judged(pairs([ratio * factor for ratio in ratios]))[1].word
    assert order[far] >= order[near]


def test_drift_with_all_of_one_before_all_of_the_other_deceives_and_alternation_does_not() -> None:
    """A device that warms by 2 % a block, and no difference between the variants at all."""
    drift = [100.0 * 1.02**block for block in range(16)]
    noise = 1.0 + 0.01 * np.random.default_rng(1).normal(size=16)
    values = [float(a * b) for a, b in zip(drift, noise, strict=True)]
    blocked = [PairValue(n, values[n], values[n + 8]) for n in range(8)]
    assert judged(blocked)[1].word == "REGRESSED"
    abba = [
        PairValue(n, values[2 * n], values[2 * n + 1])
        if n % 2 == 0
        else PairValue(n, values[2 * n + 1], values[2 * n])
        for n in range(8)
    ]
    effect, verdict = judged(abba)
    assert effect.p > 0.3
    assert verdict.word == "SAME"
