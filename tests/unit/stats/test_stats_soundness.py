"""A small run of the simulation: error rates and coverage stay where the theory puts them.

The draws are seeded, so a run either always passes or never. The bounds are the nominal
rates plus three standard errors of this many campaigns.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from benchmarks.soundness import CALM, METRICS, World, heavy, simulate, skewed, true_words

CAMPAIGNS = 120


def bound(rate: float, trials: int) -> float:
    return rate + 3 * math.sqrt(rate * (1 - rate) / trials)


@pytest.mark.parametrize(
    "world",
    [
        CALM,
        replace(CALM, name="skewed", noise=skewed),
        replace(CALM, name="heavy", noise=heavy),
        replace(CALM, name="drift", drift=0.02),
        replace(CALM, name="jump", jump=0.3),
        replace(CALM, name="counts", poisson=1.5),
    ],
    ids=lambda world: world.name,
)
def test_without_an_effect_verdicts_are_rarely_wrong(world: World) -> None:
    tally = simulate(world, CAMPAIGNS, seed=11)
    assert tally.family / CAMPAIGNS <= bound(0.05, CAMPAIGNS)
    assert tally.wrong_campaigns / CAMPAIGNS <= bound(0.05, CAMPAIGNS)
    # The metrics of a campaign are correlated: the campaigns alone count as trials.
    assert tally.covered / tally.metrics >= 1 - bound(0.05, CAMPAIGNS)


def test_a_large_effect_is_found_and_never_turned_round() -> None:
    tally = simulate(replace(CALM, effect=0.7), CAMPAIGNS, seed=12)
    assert tally.words.get("IMPROVED", 0) > 0.95 * tally.metrics
    assert tally.words.get("REGRESSED", 0) == 0
    assert tally.words.get("SAME", 0) == 0


def test_equality_is_shown_where_the_noise_allows_it() -> None:
    tally = simulate(replace(CALM, boot_spread=0.02, rep_spread=0.01), CAMPAIGNS, seed=13)
    assert tally.words.get("SAME", 0) > 0.9 * tally.metrics


def test_six_pairs_with_three_primaries_never_claim_a_change() -> None:
    tally = simulate(replace(CALM, pairs=6, effect=0.5), 20, seed=14)
    assert tally.words == {"UNDECIDED": 20 * METRICS}


def test_all_of_one_before_all_of_the_other_would_deceive() -> None:
    world = replace(CALM, drift=0.02, in_order=True)
    assert true_words(world) == {"UNDECIDED", "SAME"}
    assert simulate(world, 40, seed=15).family > 20
