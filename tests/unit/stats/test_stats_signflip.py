"""The test and its interval against closed forms, brute force, scipy, and each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from analysis.stats.estimate import hodges_lehmann
from analysis.stats.signflip import EXACT_MAX_PAIRS, SAMPLED_ASSIGNMENTS, Floats, SignFlips

# Whole numbers far below 2^53 keep sums exact, so that ties are ties.
WHOLE = st.lists(st.integers(-1000, 1000), min_size=1, max_size=9)
REAL = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 6)), min_size=2, max_size=9)


def brute_force(differences: Floats, hypothesis: float = 0.0) -> float:
    centred = differences - hypothesis
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=len(centred))))
    return float(np.mean(np.abs(signs @ centred) >= abs(centred.sum()) * (1 - 1e-12) - 1e-12))


@pytest.mark.parametrize("pairs", range(1, EXACT_MAX_PAIRS + 1))
def test_the_smallest_p_is_two_in_two_to_the_n(pairs: int) -> None:
    differences = np.linspace(1.0, 2.0, pairs)
    assert SignFlips(differences).p_value() == pytest.approx(min(1.0, 2.0 / 2.0**pairs), rel=1e-12)


def test_five_pairs_cannot_reach_five_percent_and_six_can() -> None:
    assert SignFlips(np.ones(5)).p_value() == 0.0625
    assert SignFlips(np.ones(6)).p_value() == 0.03125


@given(WHOLE)
def test_p_is_the_count_over_all_assignments(values: list[int]) -> None:
    differences = np.array(values, dtype=float)
    assert SignFlips(differences).p_value() == pytest.approx(brute_force(differences), abs=1e-12)


@given(WHOLE, st.integers(-1000, 1000))
def test_p_of_another_hypothesis_is_the_count_over_shifted_pairs(values: list[int], at: int) -> None:
    differences = np.array(values, dtype=float)
    assert SignFlips(differences).p_value(at) == pytest.approx(brute_force(differences, at), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_p_agrees_with_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.4, 1.0, 12)
    oracle = permutation_test(
        (differences,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert SignFlips(differences).p_value() == pytest.approx(oracle.pvalue, abs=1e-12)


@given(WHOLE)
def test_swapping_the_variants_mirrors_everything(values: list[int]) -> None:
    there, back = SignFlips(np.array(values, float)), SignFlips(-np.array(values, float))
    assert there.p_value() == back.p_value()
    one, other = there.interval(0.95), back.interval(0.95)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.low, one.high, one.level) == (-other.high, -other.low, other.level)


@given(WHOLE, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(values: list[int], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = SignFlips(np.array(values, float)), SignFlips(np.array(shuffled, float))
    assert one.p_value() == other.p_value()
    assert one.interval(0.95) == other.interval(0.95)


@given(WHOLE, st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))
def test_the_unit_does_not_matter(values: list[int], factor: float) -> None:
    one, other = SignFlips(np.array(values, float)), SignFlips(np.array(values, float) * factor)
    assert one.p_value() == other.p_value()
    a, b = one.interval(0.90), other.interval(0.90)
    if a is not None and b is not None:
        assert (a.low * factor, a.high * factor) == (b.low, b.high)


@given(REAL, st.floats(0.001, 10))
def test_a_larger_shift_never_has_a_larger_p(values: list[float], step: float) -> None:
    differences = np.abs(np.array(values)) + 0.001
    near, far = SignFlips(differences), SignFlips(differences + step)
    assert far.p_value() <= near.p_value()


@given(REAL, st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.floats(-1.5, 1.5))
def test_a_value_is_in_the_interval_exactly_if_the_test_keeps_it(
    values: list[float], level: float, where: float
) -> None:
    flips = SignFlips(np.array(values))
    interval = flips.interval(level)
    assert interval is not None
    # The level that was reached: below it for few pairs, never above by more than one step.
    alpha = 1.0 - interval.level
    value = float(np.mean(values)) + where * (interval.high - interval.low + 1e-3)
    assume(min(abs(value - interval.low), abs(value - interval.high)) > 1e-6)
    kept = flips.p_value(value) > alpha + 1e-12
    assert kept == (interval.low <= value <= interval.high)


@pytest.mark.parametrize(
    ("pairs", "wide", "narrow"),
    [(2, 0.5, 0.5), (5, 0.9375, 0.9375), (6, 0.96875, 0.90625), (8, 0.953125, 0.90625)],
)
def test_the_exact_level_is_reported(pairs: int, wide: float, narrow: float) -> None:
    flips = SignFlips(np.arange(1.0, pairs + 1) ** 2)
    for level, exact in ((0.95, wide), (0.90, narrow)):
        interval = flips.interval(level)
        assert interval is not None
        assert interval.level == pytest.approx(exact, abs=1e-12)


def test_six_pairs_give_their_range() -> None:
    interval = SignFlips(np.array([3.0, -1.0, 4.0, 1.0, 5.0, 9.0])).interval(0.95)
    assert interval is not None
    assert (interval.low, interval.high) == (-1.0, 9.0)


def test_one_pair_has_no_interval() -> None:
    assert SignFlips(np.array([1.0])).interval(0.95) is None
    assert SignFlips(np.array([1.0])).p_value() == 1.0


def test_no_difference_at_all_is_no_evidence() -> None:
    flips = SignFlips(np.zeros(8))
    interval = flips.interval(0.95)
    assert flips.p_value() == 1.0
    assert interval is not None
    assert (interval.low, interval.high) == (0.0, 0.0)


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")], [float("inf"), 2.0]])
def test_what_is_no_number_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="difference"):
        SignFlips(np.array(bad))


def test_beyond_sixteen_pairs_p_is_sampled_and_never_zero() -> None:
    assert SignFlips(np.ones(30)).p_value() == 1 / (SAMPLED_ASSIGNMENTS + 1)


def test_sampled_p_is_near_the_exact_one() -> None:
    # 17 pairs of which one is 0: its sign cannot matter, so 16 pairs give the exact answer.
    values = np.random.default_rng(5).normal(0.25, 1.0, 16)
    sampled = SignFlips(np.append(values, 0.0)).p_value()
    exact = SignFlips(values).p_value()
    assert sampled == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / SAMPLED_ASSIGNMENTS))


def test_sampled_answers_are_reproducible_whatever_the_order_or_the_sign() -> None:
    values = np.random.default_rng(2).normal(0.2, 1.0, 25)
    there, again, back = SignFlips(values), SignFlips(values[::-1].copy()), SignFlips(-values)
    assert there.p_value() == again.p_value() == back.p_value()
    one, other = there.interval(0.95), back.interval(0.95)
    assert one is not None
    assert other is not None
    assert (one.low, one.high) == (-other.high, -other.low)


@settings(max_examples=25)
@given(st.lists(st.integers(-50, 50), min_size=17, max_size=22), st.integers(-20, 20))
def test_sampled_interval_and_sampled_test_agree(values: list[int], at: int) -> None:
    flips = SignFlips(np.array(values, float))
    interval = flips.interval(0.95)
    assert interval is not None
    value = at + 0.31
    assume(min(abs(value - interval.low), abs(value - interval.high)) > 1e-6)
    assert (flips.p_value(value) > 1 - interval.level + 1e-12) == (interval.low <= value <= interval.high)


@given(WHOLE)
def test_hodges_lehmann_is_the_median_of_all_walsh_averages(values: list[int]) -> None:
    averages = [(a + b) / 2 for i, a in enumerate(values) for b in values[i:]]
    assert hodges_lehmann(np.array(values, float)) == pytest.approx(float(np.median(averages)))


@given(WHOLE)
def test_hodges_lehmann_mirrors_and_lies_within_the_values(values: list[int]) -> None:
    estimate = hodges_lehmann(np.array(values, float))
    assert hodges_lehmann(-np.array(values, float)) == -estimate
    assert min(values) <= estimate <= max(values)


def test_one_wild_pair_moves_the_estimate_little() -> None:
    calm = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.02])
    assert hodges_lehmann(np.append(calm, 1e6)) < 1.2


def test_an_estimate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        hodges_lehmann(np.array([]))


@pytest.mark.parametrize("seed", range(3))
def test_hodges_lehmann_centres_the_signed_rank_statistic(seed: int) -> None:
    from scipy.stats import rankdata

    values = np.random.default_rng(seed).normal(3.0, 2.0, 11)
    centred = values - hodges_lehmann(values)
    ranks = rankdata(np.abs(centred))
    positive, negative = ranks[centred > 0].sum(), ranks[centred < 0].sum()
    assert abs(positive - negative) <= 2.0 + ranks[centred == 0].sum()
