"""The result as plain text for a mailing list."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from analysis import cli
from analysis.judging.pipeline import judge
from analysis.metrics import all_metrics
from analysis.report.mail import WIDTH, mail_text
from analysis.report.page import render
from analysis.report.terminal import verdict_table
from foundation.published_patches import PUBLISHED
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import BASELINE, PATCHED, ResultsFolder

V2 = PUBLISHED[1]
SAME = {"name": "same", "kind": "stock", "options": {}, "spec": "same=stock"}
QUEUE = ("queue_pages", "queue_wait_p99_us", "compression_wakeups_per_page")


def with_queue(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
    values = dict(model(scenario, variant, pair, rep))
    if variant == "patched":
        busy = scenario == "busy"
        values |= {
            "queue_pages": 20000.0 + pair,
            "queue_wait_p99_us": None if busy else 1234.5,
            "compression_wakeups_per_page": 0.5,
        }
    else:
        values["compression_wakeups_per_page"] = 0.0
    return values


def campaign(folder: Path) -> ResultsFolder:
    return ResultsFolder(
        folder,
        scenarios=("idle", "busy"),
        variants=(BASELINE, SAME, PATCHED),
        metrics=("kswapd_cpu_ms", "reclaim_cpu_us_per_page", "allocstall", "compression_cpu_ms", *QUEUE),
    ).fill(with_queue)


def test_it_fits_a_mailing_list(tmp_path: Path) -> None:
    text = mail_text(judge(campaign(tmp_path / "r").save()))
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\t" not in text


def test_the_answer_comes_first_and_the_method_has_six_lines(tmp_path: Path) -> None:
    text = mail_text(judge(campaign(tmp_path / "r").save()))
    question, *rest = text.split("\n\n")
    assert question == "What does patched change against baseline in app switching?"
    answers = [" ".join(part.split()) for part in rest[:4]]
    assert any("patched improves kswapd CPU time" in answer for answer in answers)
    assert any("same (the same kernel) makes no practical difference" in answer for answer in answers)
    method = next(part for part in rest if part.startswith("Method"))
    assert len(method.splitlines()) == 1 + 6
    assert "emulated" in method
    assert "8 pairs" in method
    assert "seed 7" in method


def test_every_primary_stands_with_interval_floor_and_verdict(tmp_path: Path) -> None:
    judgement = judge(campaign(tmp_path / "r").save())
    text = mail_text(judgement)
    part = next(p for p in text.split("\n\n") if p.startswith("busy: patched against baseline"))
    lines = part.splitlines()
    at = next(number for number, line in enumerate(lines) if "*kswapd_cpu_ms" in line)
    row = judgement.row("busy", "kswapd_cpu_ms", "patched")
    assert row.change is not None
    assert row.change.scale == "ratio"
    assert f"{(row.change.value - 1) * 100:+.1f}%" in lines[at]
    assert lines[at].endswith("0.023")
    floor = next(f for f in judgement.noise_floor if (f.scenario, f.metric) == ("busy", "kswapd_cpu_ms"))
    assert f" {math.expm1(floor.typical) * 100:.1f}% " in lines[at]
    assert lines[at + 1].endswith("ms: IMPROVED")


def test_two_pairs_have_no_interval_of_95_percent(tmp_path: Path) -> None:
    text = mail_text(judge(ResultsFolder(tmp_path / "r", pairs=2).fill(model).save()))
    assert "95 % interval" not in text
    assert "95% interval" not in text
    assert "UNDECIDED (50 % interval)" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_metrics_of_one_kernel_only_are_medians(tmp_path: Path) -> None:
    judgement = judge(campaign(tmp_path / "r").save())
    text = mail_text(judgement)
    assert "Queue and compression thread of patched" in text
    assert "Queue and compression thread of same" not in text
    line = next(line for line in text.splitlines() if "queue_wait_p99_us" in line)
    assert line.split()[-2:] == ["1234", "-"]
    assert 'id="queue"' in render(judgement)
    assert "Judge CPU time by a campaign without it" in " ".join(text.split())


def test_a_campaign_without_a_thread_has_no_such_part(tmp_path: Path) -> None:
    judgement = judge(ResultsFolder(tmp_path / "r").fill(model).save())
    assert "Queue and compression thread" not in mail_text(judgement)
    assert "was traced" not in mail_text(judgement)
    assert 'id="queue"' not in render(judgement)


def test_what_was_recorded_on_request_stands_side_by_side(tmp_path: Path) -> None:
    def parts(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
        slower = variant == "patched"
        return dict(model(scenario, variant, pair, rep)) | {
            "t1_scan_unmap_ms": 300.0 + pair if slower else 500.0 + pair,
            "t2_compress_ms": None if scenario == "busy" and slower else 200.0,
            "t3_file_ms": None,
        }

    names = ("t1_scan_unmap_ms", "t2_compress_ms", "t3_file_ms")
    variants = (BASELINE, SAME, PATCHED)
    folder = ResultsFolder(
        tmp_path / "r",
        scenarios=("idle", "busy"),
        variants=variants,
        metrics=("kswapd_cpu_ms", "reclaim_cpu_us_per_page", "allocstall", *names),
    ).fill(parts)
    found = mail_text(judge(folder.save())).split("\n\n")
    idle, busy = (
        part.splitlines() for part in found if part.startswith("Parts of kswapd's reclaim cycles")
    )
    assert idle[0].endswith("idle, median of blocks")
    assert idle[1].split() == ["baseline", "same", "patched"]
    # Pairs are counted from 0: the median of eight is 3.5.
    assert idle[2].split() == ["t1_scan_unmap_ms", "[ms]", "504", "504", "304"]
    assert busy[3].split() == ["t2_compress_ms", "[ms]", "200", "200", "-"]
    # Known of no variant: left out, not shown as a row of nothing.
    assert len(idle) == len(busy) == 4


def test_what_is_wrong_comes_before_any_figure(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model, until=6)
    folder.block(folder.blocks[6], [], outcome="kernel_failure", failure="KernelCrash: oops " + "x " * 90)
    text = mail_text(judge(folder.save()))
    assert text.index("UNFINISHED: 7 of 16 blocks") < text.index("KERNEL FAILURE") < text.index("Method")
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("size", [0.0, 1e-9, 0.012345, 99999.0, 123456.7, 1e9])
def test_figures_of_any_size_fit(tmp_path: Path, size: float) -> None:
    def sized(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
        factor = 1.0 + 0.1 * pair + (5.0 if variant == "patched" else 0.0)
        return dict.fromkeys(all_metrics(), size * factor)

    folder = ResultsFolder(
        tmp_path / "r",
        scenarios=("idle", "busy"),
        metrics=tuple(all_metrics()),
        variants=(BASELINE, SAME, PATCHED),
    ).fill(sized)
    assert max(map(len, mail_text(judge(folder.save())).splitlines())) <= WIDTH


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = campaign(tmp_path / "r")
    assert cli.main(["mail", str(folder.save())]) == 0
    assert "Method" in capsys.readouterr().out
    assert cli.main(["mail", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_published_patch_is_named_with_what_is_known_of_it(tmp_path: Path) -> None:
    folder = campaign(tmp_path / "r")
    folder.variants = (BASELINE, SAME, {**PATCHED, "kind": "patch", "options": {"patch-ids": V2.ids[0]}})
    folder.campaign()
    judgement = judge(folder.save())
    text = " ".join(mail_text(judgement).split())
    assert "patched is MediaTek v2 as published (2025-04-30)." in text
    assert "Known of the patch: MediaTek v2: its thread lacks PF_MEMALLOC" in text
    assert max(map(len, mail_text(judgement).splitlines())) <= WIDTH
    page = render(judgement)
    assert "patched is MediaTek v2 as published (2025-04-30)." in page
    assert "its thread lacks PF_MEMALLOC" in page
    assert "MediaTek v2 as published" in " ".join(verdict_table(judgement).split())
