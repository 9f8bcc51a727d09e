"""What docs/findings.md says is what the published results say, computed again."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.frames import verdicts_csv
from analysis.judging.pipeline import judge
from analysis.report.mail import mail_text

ROOT = Path(__file__).parents[3]
FINDINGS = ROOT / "findings"
CAMPAIGNS = sorted(path for path in FINDINGS.iterdir() if path.is_dir())

#: A change in %, an interval, or a ratio: what a reader would quote.
_FIGURE = re.compile(r"[+-]\d[\d,.]*%|\[[+-]?[\d.,]+k?, [+-]?[\d.,]+k?\]")


def copied(campaign: Path, folder: Path) -> Path:
    return Path(shutil.copytree(campaign, folder / campaign.name))


def test_there_are_findings() -> None:
    assert {path.name for path in CAMPAIGNS} >= {
        *("zram-level", "page-io-level", "throughput", "handicap", "queue", "reclaim-cycle", "refault"),
        *("cpus-1", "cpus-4", "lru-classic", "lru-mglru", "forward-progress", "refault-busy"),
        *("threads-depth", "algorithms-lzo-rle", "algorithms-lz4", "algorithms-zstd"),
        *(f"content-{kind}" for kind in ("zero", "same-filled", "ratio4", "ratio2", "random")),
    }


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


PUBLISHED = rows_of((FINDINGS / "verdicts.csv").read_text(encoding="utf-8"))


def test_the_published_table_has_every_campaign() -> None:
    assert {row["campaign"] for row in PUBLISHED} == {path.name for path in CAMPAIGNS}


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda path: path.name)
def test_the_published_verdicts_are_computed_again(campaign: Path, tmp_path: Path) -> None:
    judgement = judge(copied(campaign, tmp_path))
    computed = rows_of(verdicts_csv({campaign.name: judgement}))
    assert computed == [row for row in PUBLISHED if row["campaign"] == campaign.name]


def test_nothing_that_can_be_written_again_is_kept() -> None:
    """In the repository: judging a folder in place writes these files, and git ignores them."""
    command = ["git", "ls-files", "--", "findings"]
    kept = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "findings/verdicts.csv" in kept
    assert not [path for path in kept.splitlines() if path.endswith(("/verdicts.json", "/judgement.json"))]


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda path: path.name)
def test_the_published_mail_is_what_the_command_prints(campaign: Path, tmp_path: Path) -> None:
    printed = mail_text(judge(copied(campaign, tmp_path)))
    assert campaign.with_suffix(".txt").read_text(encoding="utf-8") == printed + "\n"


def test_every_change_and_interval_of_the_text_stands_in_a_finding() -> None:
    known = "".join(path.read_text(encoding="utf-8") for path in FINDINGS.glob("*.txt"))
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    quoted = _FIGURE.findall(text)
    assert len(quoted) > 20
    assert [figure for figure in quoted if figure not in known] == []
