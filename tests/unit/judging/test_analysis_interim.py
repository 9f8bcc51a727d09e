"""The running estimate is the final table's, over the pairs that are there, and never a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.judging.interim import interim
from analysis.judging.pipeline import judge
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import ResultsFolder


@pytest.mark.parametrize("pairs", [1, 3, 8])
def test_it_is_the_estimate_that_the_judgement_has(pairs: int, tmp_path: Path) -> None:
    root = ResultsFolder(tmp_path / "r").fill(model, until=2 * pairs).save()
    found = interim(root)
    assert not (root / "verdicts.json").exists()
    judgement = judge(root)
    assert [one.metric for one in found] == list(judgement.campaign.primaries)
    for one in found:
        row = judgement.row(one.scenario, one.metric, one.variant)
        assert (one.pairs, one.planned, one.scale) == (pairs, 8, row.scale)
        assert one.change == pytest.approx(row.change.value if row.change else None)
        assert one.change is not None
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.change <= one.high
        assert bool(one.range_text()) == (pairs > 1)


def test_before_the_first_pair_nothing_is_claimed(tmp_path: Path) -> None:
    root = ResultsFolder(tmp_path / "r").fill(model, until=1).save()
    assert {(one.change_text(), one.range_text(), one.pairs) for one in interim(root)} == {("-", "", 0)}


def test_a_void_block_takes_its_pair_out(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r")
    folder.fill(model, until=2)
    values = [model("idle", folder.blocks[2].variant, 1, 0)]
    folder.block(folder.blocks[2], values, outcome="void", void_reasons=["pins: drifted"])
    folder.block(folder.blocks[3], [model("idle", folder.blocks[3].variant, 1, 0)])
    assert {one.pairs for one in interim(folder.save())} == {1}
