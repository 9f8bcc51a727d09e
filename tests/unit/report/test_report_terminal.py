"""The table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from analysis.judging.pipeline import judge
from analysis.metrics import all_metrics
from analysis.report.terminal import WIDTH, verdict_table
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import BASELINE, PATCHED, ResultsFolder


def test_a_line_for_each_primary_with_everything_in_it(tmp_path: Path) -> None:
    table = verdict_table(judge(ResultsFolder(tmp_path / "r").fill(model).save()))
    assert max(map(len, table.splitlines())) <= WIDTH
    line = next(line for line in table.splitlines() if "allocstall" in line).split()
    assert line[:3] == ["idle", "allocstall", "50.0"]
    assert line[-2:] == ["0.023", "REGRESSED"]
    assert any(word.startswith("+") and word.endswith("%") for word in line)
    assert "idle 8 of 8" in table
    assert "Emulated" in table


def test_exploratory_p_stands_in_brackets(tmp_path: Path) -> None:
    table = verdict_table(judge(ResultsFolder(tmp_path / "r").fill(model).save()))
    line = next(line for line in table.splitlines() if "compression_cpu_ms" in line)
    assert "(0.008)" in line
    assert "CHANGED" in line


def test_an_interval_of_few_pairs_says_its_level(tmp_path: Path) -> None:
    table = verdict_table(judge(ResultsFolder(tmp_path / "r", pairs=3).fill(model).save()))
    line = next(line for line in table.splitlines() if "kswapd_cpu_ms" in line)
    assert "] (75 %) " in line


def test_an_undecided_primary_says_why(tmp_path: Path) -> None:
    table = verdict_table(judge(ResultsFolder(tmp_path / "r").fill(model, until=3).save()))
    assert "kswapd_cpu_ms, idle: UNDECIDED: unfinished: 1 of 8 pairs" in table


def test_before_the_first_block(tmp_path: Path) -> None:
    table = verdict_table(judge(ResultsFolder(tmp_path / "r").root))
    assert "idle 0 of 8" in table
    assert "UNDECIDED" in table


def test_failures_come_first(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    folder.block(folder.blocks[0], [], outcome="kernel_failure", failure="KernelCrash: oops " + "x " * 90)
    table = verdict_table(judge(folder.save()))
    assert table.startswith("KERNEL FAILURE in 000-")
    assert max(map(len, table.splitlines())) <= WIDTH


def test_an_alarm_of_one_kernel_under_two_names(tmp_path: Path) -> None:
    again = {"name": "patched", "kind": "stock", "options": {}, "spec": "patched=stock"}
    table = verdict_table(
        judge(ResultsFolder(tmp_path / "r", variants=(BASELINE, again)).fill(model).save())
    )
    assert table.startswith("A/A FAILED")


@pytest.mark.parametrize("size", [0.0, 1e-9, 0.012345, 1.0, 99999.0, 123456.7, 1e9, 1e14])
def test_figures_of_any_size_fit_the_width(tmp_path: Path, size: float) -> None:
    def sized(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
        factor = 1.0 + 0.1 * pair + (5.0 if variant == "patched" else 0.0)
        return dict.fromkeys(all_metrics(), size * factor)

    folder = ResultsFolder(
        tmp_path / "r",
        scenarios=("idle", "busy"),
        metrics=tuple(all_metrics()),
        variants=(BASELINE, PATCHED),
    ).fill(sized)
    table = verdict_table(judge(folder.save()))
    assert max(map(len, table.splitlines())) <= WIDTH
