from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contract.records import PlannedBlock
from harness.campaign.schedule import order_text, schedule

TWO = ("baseline", "patched")


def by_pair(blocks: tuple[PlannedBlock, ...], scenario: str) -> list[list[PlannedBlock]]:
    pairs: dict[int, list[PlannedBlock]] = {}
    for block in blocks:
        if block.scenario == scenario:
            pairs.setdefault(block.pair, []).append(block)
    return [pairs[number] for number in sorted(pairs)]


@given(
    pairs=st.integers(1, 40),
    seed=st.integers(0, 2**31),
    variants=st.sampled_from([TWO, ("a", "b", "c"), ("a", "b", "c", "d")]),
    scenarios=st.sampled_from([("idle",), ("idle", "busy")]),
    lanes=st.sampled_from([("virtual-0",), ("one", "two")]),
)
def test_every_pair_holds_each_variant_once_in_adjacent_blocks_on_one_lane(
    pairs: int, seed: int, variants: tuple[str, ...], scenarios: tuple[str, ...], lanes: tuple[str, ...]
) -> None:
    blocks = schedule(variants, scenarios, pairs, seed, lanes)
    assert [block.index for block in blocks] == list(range(len(blocks)))
    assert len(blocks) == pairs * len(variants) * len(scenarios)
    for scenario in scenarios:
        groups = by_pair(blocks, scenario)
        assert len(groups) == pairs
        for group in groups:
            assert sorted(block.variant for block in group) == sorted(variants)
            assert [block.position for block in group] == list(range(len(variants)))
            assert group[-1].index - group[0].index == len(variants) - 1
            assert len({block.lane for block in group}) == 1


@given(twos=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_orders_come_in_reversed_twos_so_a_linear_drift_cancels(twos: int, seed: int) -> None:
    blocks = schedule(TWO, ("idle",), 2 * twos, seed, ("lane",))
    groups = by_pair(blocks, "idle")
    for first, second in zip(groups[::2], groups[1::2], strict=True):
        assert [block.variant for block in first] == [block.variant for block in reversed(second)]
    position = {name: [b.index for b in blocks if b.variant == name] for name in TWO}
    assert np.mean(position["baseline"]) == np.mean(position["patched"])


def test_both_abba_and_baab_are_drawn() -> None:
    firsts = Counter(schedule(TWO, ("idle",), 2, seed, ("lane",))[0].variant for seed in range(400))
    assert min(firsts.values()) > 140, firsts


def test_same_seed_same_order_and_another_seed_another() -> None:
    one = schedule(TWO, ("idle", "busy"), 8, 7, ("lane",))
    assert one == schedule(TWO, ("idle", "busy"), 8, 7, ("lane",))
    assert any(one != schedule(TWO, ("idle", "busy"), 8, seed, ("lane",)) for seed in range(8, 12))


def test_scenarios_take_turns_in_going_first() -> None:
    blocks = schedule(TWO, ("idle", "busy"), 4, 3, ("lane",))
    first_of_pair = [next(b.scenario for b in blocks if b.pair == pair) for pair in range(4)]
    assert first_of_pair[0] != first_of_pair[1]
    assert first_of_pair[::2] == [first_of_pair[0]] * 2


@pytest.mark.parametrize("variant", ["baseline", "patched"])
def test_order_text_names_every_block(variant: str) -> None:
    blocks = schedule(TWO, ("idle",), 3, 1, ("lane",))
    lines = order_text(blocks).splitlines()
    assert len(lines) == 1 + len(blocks)
    assert sum(variant in line for line in lines) == 3
