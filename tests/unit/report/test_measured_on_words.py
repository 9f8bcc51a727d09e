"""The clock of a campaign, in words: on the page, in mail, in the terminal and in verdicts.json."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis.cli import main
from analysis.judging.pipeline import judge
from analysis.report.mail import WIDTH, mail_text
from analysis.report.page import write
from analysis.report.terminal import verdict_table
from foundation.errors import UsageError
from harness.campaign import merging
from harness.campaign.legs_table import legs_table
from tests.unit.results_folder import ResultsFolder

ARM: dict[str, str] = {"clock": "instructions", "base": "6.12-arm64", "page_kb": "4"}


def model(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
    return {"kswapd_cpu_ms": 100.0 + pair, "reclaim_cpu_us_per_page": 5.0 + pair, "allocstall": 3.0}


def folder(path: Path, facts: Mapping[str, str] | None, *, emulated: bool = True) -> Path:
    made = ResultsFolder(path).fill(model)
    made.campaign(lanes={"virtual-0": dict(facts or {})}, emulated=emulated)
    return made.save()


def texts(root: Path) -> dict[str, str]:
    judged = judge(root)
    page = html.unescape(write(root).read_text(encoding="utf-8"))
    plain = {"page": page, "mail": mail_text(judged), "terminal": verdict_table(judged)}
    return {name: " ".join(text.split()) for name, text in plain.items()}


def test_in_instructions_n_counts_seeds_and_nothing_is_a_time(tmp_path: Path) -> None:
    for name, text in texts(folder(tmp_path / "r", ARM)).items():
        for words in (
            "n counts seeds",
            "common random numbers",
            "2 ns each",
            "same on every host with the same parts",
            "no gain from running in parallel",
            "6.12-arm64, 4 KiB pages, time in instructions",
        ):
            assert words in text, (name, words)
        assert "host time" not in text.lower(), name


def test_in_host_time_ratios_are_this_hosts(tmp_path: Path) -> None:
    for name, text in texts(folder(tmp_path / "r", ARM | {"clock": "host"})).items():
        assert "the ratios are this host's" in text, name
        assert "6.12-arm64, 4 KiB pages, time of the host" in text, name
        assert "seeds" not in text, name


@pytest.mark.parametrize(("facts", "emulated"), [(None, True), ({"clock": "host", "page_kb": "4"}, False)])
def test_a_phone_and_an_older_campaign_have_no_such_words(
    tmp_path: Path, facts: Mapping[str, str] | None, emulated: bool
) -> None:
    for text in texts(folder(tmp_path / "r", facts, emulated=emulated)).values():
        assert "this host's" not in text
        assert "seeds" not in text


def test_the_mail_still_fits_a_list(tmp_path: Path) -> None:
    text = mail_text(judge(folder(tmp_path / "r", ARM)))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "8 pairs per scenario, each one seed on both kernels; seed 7." in text


def test_the_files_tell_it_and_older_ones_do_not_change(tmp_path: Path) -> None:
    def told(root: Path) -> list[set[str]]:
        judge(root)
        rows = json.loads((root / "verdicts.json").read_text())
        whole = json.loads((root / "judgement.json").read_text())
        return [{key for key in one if key in ARM} for one in (rows[0], whole)]

    root = folder(tmp_path / "new", ARM)
    assert told(root) == [set(ARM), set(ARM)]
    assert json.loads((root / "verdicts.json").read_text())[0]["page_kb"] == 4
    assert told(folder(tmp_path / "old", None)) == [set(), set()]


def test_campaigns_of_two_clocks_are_not_put_into_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = folder(tmp_path / "first", ARM)
    second = folder(tmp_path / "second", ARM | {"clock": "host"})
    assert main(["verdicts", str(first), str(first)]) == 0
    capsys.readouterr()
    assert main(["verdicts", str(first), str(second)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "first and second have different clocks, instructions and host" in err
    assert main(["notebook", str(first), str(second)]) == 2
    assert "different clocks" in capsys.readouterr().err


def test_legs_of_two_clocks_are_not_put_into_one_table(tmp_path: Path) -> None:
    legs = {
        "c/first": folder(tmp_path / "first", ARM),
        "c/second": folder(tmp_path / "second", ARM | {"base": "6.1-amd64"}),
    }
    lines = legs_table(legs).splitlines()
    assert any(line.startswith("first ") for line in lines)
    assert not any(line.startswith("second ") for line in lines)
    (note,) = [line for line in lines if line.startswith("second: not in this table:")]
    assert "different bases, 6.12-arm64 and 6.1-amd64" in note


def test_legs_that_ask_for_two_clocks_are_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    legs = [
        SimpleNamespace(name="a", given={"virtual_clock": "instructions"}),
        SimpleNamespace(name="b", given={"virtual_clock": "host"}),
    ]
    monkeypatch.setattr(merging, "load_campaign", lambda name: SimpleNamespace(legs=legs))
    with pytest.raises(UsageError, match="leg a and leg b have different clocks, instructions and host"):
        merging.settings_of_all({"campaign": "mixed"})
