"""A small copy of a results folder is judged as the whole one was."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import cli
from analysis.judging.pipeline import judge
from analysis.pack import pack
from foundation.errors import UsageError
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import ResultsFolder


def test_the_copy_has_no_trace_and_the_same_verdicts(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    folder.block(folder.blocks[0], [], outcome="kernel_failure", failure="KernelCrash: oops")
    folder.save()
    names = pack(folder.root, tmp_path / "small")
    assert not list((tmp_path / "small").rglob("*trace*"))
    assert Path("campaign.json") in names
    assert Path("verdicts.json") not in names
    judge(tmp_path / "small")
    for name in ("verdicts.json", "judgement.json"):
        assert (tmp_path / "small" / name).read_bytes() == (folder.root / name).read_bytes()


def test_an_existing_folder_is_not_written_into(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model).save()
    (tmp_path / "small").mkdir()
    with pytest.raises(UsageError, match="already exists"):
        pack(folder, tmp_path / "small")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model).save()
    assert cli.main(["pack", str(folder), str(tmp_path / "small")]) == 0
    assert "KiB" in capsys.readouterr().out
    assert cli.main(["pack", str(folder), str(tmp_path / "small")]) == 2
    assert cli.main(["pack", str(tmp_path / "none"), str(tmp_path / "other")]) == 2
    assert not (tmp_path / "other").exists()
