"""Seeds in instruction time: one a pair, the same on all its kernels, and a pair repeated alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from foundation.contract.records import PlannedBlock, read_record, write_record
from foundation.errors import UsageError
from harness.campaign.dry_run import dry_run_text
from harness.campaign.merging import settings_of
from harness.campaign.plan import Plan
from harness.campaign.repetition import OFFSET_S, SETTLE_S, start_s
from harness.campaign.schedule import workload_seed
from harness.campaign.session import CampaignSession, blocks_to_run, plan_of
from harness.campaign.settings import Settings
from harness.campaign.terminal.lines import Lines
from workloads.app_switching import AppSwitching
from workloads.profile import load_profile


def settings(folder: Path, **given: Any) -> Settings:
    return settings_of({"pairs": 4, "seed": 9, "results": folder / "results", **given})


def plan(folder: Path, clock: Literal["instructions", "host"] = "instructions", **given: Any) -> Plan:
    return plan_of(settings(folder, virtual_clock=clock, **given))


def test_the_blocks_of_a_pair_share_a_seed_and_pairs_differ(tmp_path: Path) -> None:
    blocks = plan(tmp_path).blocks
    seeds = {pair: {block.seed for block in blocks if block.pair == pair} for pair in range(4)}
    assert all(len(own) == 1 for own in seeds.values()), "in both scenarios"
    assert len({seed for own in seeds.values() for seed in own}) == 4


def test_a_seed_is_a_fact_of_campaign_seed_and_pair() -> None:
    # Published results are repeated by these numbers: they must never change.
    assert [workload_seed(1, pair) for pair in range(3)] == [1205246557, 17120840, 2072824959]
    assert len({workload_seed(seed, pair) for seed in range(50) for pair in range(50)}) == 2500


def test_host_time_and_phones_keep_the_profiles_seeds(tmp_path: Path) -> None:
    assert {block.seed for block in plan(tmp_path, "host").blocks} == {None}
    phone = plan_of(settings(tmp_path, device="phone", variants=("a=as-is", "b=as-is")))
    assert phone.clock is None
    assert {block.seed for block in phone.blocks} == {None}
    assert phone.profile_of(phone.blocks[0]) is phone.profile


def test_the_order_of_blocks_does_not_depend_on_the_clock(tmp_path: Path) -> None:
    by_host = plan(tmp_path, "host").blocks
    assert tuple(replace(block, seed=None) for block in plan(tmp_path).blocks) == by_host


def test_the_clock_is_part_of_what_a_campaign_is(tmp_path: Path) -> None:
    assert plan(tmp_path).identity() != plan(tmp_path, "host").identity()
    differs = {
        key
        for key, value in plan(tmp_path).identity().items()
        if value != plan(tmp_path, "host").identity()[key]
    }
    assert differs == {"clock"}
    record = plan(tmp_path).record(emulated=True, lanes={})
    assert (record.clock, record.schedule[0].seed) == ("instructions", plan(tmp_path).blocks[0].seed)


def test_a_block_of_an_older_file_has_no_seed(tmp_path: Path) -> None:
    block = plan(tmp_path).blocks[0]
    write_record(tmp_path / "block.json", block)
    assert read_record(tmp_path / "block.json", PlannedBlock) == block
    text = (tmp_path / "block.json").read_text().replace(f'"seed": {block.seed},', "")
    (tmp_path / "old.json").write_text(text)
    assert read_record(tmp_path / "old.json", PlannedBlock).seed is None


def test_a_seed_reaches_every_draw_of_the_profile() -> None:
    for name in ("phone-like", "eater"):
        profile = load_profile(name)
        one, again, other = profile.seeded(5), profile.seeded(5), profile.seeded(6)
        assert one == again
        assert one.seed == 5
        assert one.source == profile.source
        seeds = [app.synthetic.seed for app in one.apps if app.synthetic is not None]
        others = [app.synthetic.seed for app in other.apps if app.synthetic is not None]
        if one.eater is not None and other.eater is not None:
            seeds, others = [one.eater.seed], [other.eater.seed]
        assert len(set(seeds)) == len(seeds) == max(1, len(profile.apps))
        assert not set(seeds) & set(others)


def test_the_same_seed_orders_the_same_cycles() -> None:
    class Emulated:
        emulated = True
        serial = "emulated"

    def orders(seed: int) -> list[str]:
        profile = replace(load_profile("phone-like"), order="shuffled").seeded(seed)
        switching = AppSwitching(Emulated(), profile)  # type: ignore[arg-type]
        return [switching.order().text for _ in range(3)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)


def test_each_cycle_begins_at_a_moment_of_its_seed() -> None:
    assert {start_s(None, index) for index in range(3)} == {SETTLE_S}
    starts = [start_s(seed, index) for seed in range(20) for index in range(2)]
    assert starts == [start_s(seed, index) for seed in range(20) for index in range(2)]
    assert len(set(starts)) == 40
    assert all(SETTLE_S <= start < SETTLE_S + OFFSET_S for start in starts)


@pytest.mark.parametrize(("words", "pairs"), [(("2",), {2}), (("0,3",), {0, 3}), (("1", "2"), {1, 2})])
def test_chosen_pairs_are_those_of_the_whole_campaign(
    tmp_path: Path, words: tuple[str, ...], pairs: set[int]
) -> None:
    chosen = settings(tmp_path, only_pairs=words)
    whole = plan(tmp_path)
    blocks = blocks_to_run(chosen, plan_of(chosen))
    assert blocks == tuple(block for block in whole.blocks if block.pair in pairs)
    assert plan_of(chosen).identity() == whole.identity(), "the rest can be measured later"
    session = CampaignSession(chosen, plan_of(chosen), Lines(lambda text: None))
    assert session.blocks == blocks
    assert f"{blocks[0].seed:10d}" in dry_run_text([chosen])


def test_a_pair_that_the_campaign_lacks_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--only-pairs 4,x: there is no such pair -> .* pairs 0 to 3"):
        plan_of(settings(tmp_path, only_pairs=("1,4,x",)))
