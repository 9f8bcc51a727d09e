"""The command line as a user types it, without a device."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "android_tests", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_dry_run_prints_the_schedule_and_touches_nothing(tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = run("--dry-run", "--pairs", "6", "--seed", "11", "--results", str(results))
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert len(rows) == 24
    assert {row[3] for row in rows} == {"baseline", "patched"}
    assert "seed 11" in done.stdout
    assert not results.exists()


def test_items_stand_in_schedule_order_and_verdicts_follow(tmp_path: Path) -> None:
    done = run("--collect-only", "-q", "--pairs", "2", "--scenario=idle", "--results", str(tmp_path / "r"))
    assert done.returncode == 0, done.stdout + done.stderr
    items = [line for line in done.stdout.splitlines() if "::" in line]
    blocks = [item for item in items if "::test_block[app-switching-idle-00" in item]
    verdicts = [item for item in items if "::test_verdict[app-switching-idle-" in item]
    assert items == blocks + verdicts
    assert len(blocks) == 4
    assert [item.rsplit("-", 2)[1] for item in blocks] == ["000", "001", "002", "003"]
    assert len(verdicts) == 3


def test_a_campaign_file_brings_its_question_with_it(tmp_path: Path) -> None:
    done = run(
        *("--collect-only", "-q", "--campaign", "content", "--leg", "zero"),
        *("--pairs", "1", "--scenario", "idle", "--results", str(tmp_path / "r")),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    items = [line for line in done.stdout.splitlines() if "::" in line]
    assert all(item.startswith("android_tests/test_throughput.py::") for item in items)
    assert sum("test_block[memory-eater-idle-" in item for item in items) == 2
    verdicts = [item for item in items if "test_verdict[memory-eater-idle-" in item]
    assert [item.split("-")[3] for item in verdicts] == [
        "pgsteal_anon_per_s",
        "allocstall",
        "reclaim_cpu_us_per_page",
    ]


def test_a_campaign_runs_by_the_test_file_of_its_name(tmp_path: Path) -> None:
    done = run(
        *("android_tests/test_forward_progress.py", "--collect-only", "-q"),
        *("--pairs", "1", "--scenario", "rt-busy", "--results", str(tmp_path / "r")),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    items = [line for line in done.stdout.splitlines() if "::" in line]
    assert all(item.startswith("android_tests/test_forward_progress.py::") for item in items)
    blocks = [item for item in items if "test_block[app-switching-rt-busy-" in item]
    assert sorted(item.rsplit("-", 1)[1] for item in blocks) == ["first]", "niced]", "patched]"]


def test_a_dry_run_of_a_file_with_legs_shows_them_all(tmp_path: Path) -> None:
    done = run("--dry-run", "--campaign", "algorithms", "--pairs", "1", "--results", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    for leg in ("lzo-rle", "lz4", "zstd"):
        assert (
            f"algorithms/{leg}: app-switching, profile phone-like with device.zram_algorithm = {leg}"
            in (done.stdout)
        )
        assert f"results in {tmp_path / 'r' / leg}" in done.stdout
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "bussy"], "did you mean 'busy'"),
        (["--variant", "a=stok", "--variant", "b=stock"], "did you mean 'stock'"),
        (["--variant", "a=stock"], "needs two variants"),
        (["--pairs", "0"], "--pairs must be 1 to 200"),
        (["--reps", "0"], "--reps must be 1 to 50"),
        (["--profile", "phone-lik"], "phone-like"),
        (["--device", "phone"], "no variants given"),
        (["--campaign", "algorithm"], "did you mean 'algorithms'"),
        (["--campaign", "algorithms"], "choose one with --leg, or run all"),
        (["--campaign", "cpus", "--leg", "2-cpus"], "did you mean"),
        (
            ["--campaign", "reviewers", "--variant", "a=stock"],
            "the campaign file defines what is compared",
        ),
        (["--leg", "zstd"], "give --campaign FILE with it"),
        (["--profile", "eater"], "use profile phone-like"),
        (["android_tests/test_throughput.py", "--profile", "smoke"], "use profile eater"),
        (["android_tests/test_throughput.py", "android_tests/test_app_switching.py"], "are two questions"),
        (
            ["android_tests/test_app_switching.py", "--campaign", "content", "--leg", "zero"],
            "uses memory-eater",
        ),
        (["android_tests/test_queue.py", "--campaign", "page-io"], "asks for campaign queue"),
        (["android_tests/test_queue.py", "android_tests/test_lru.py"], "are two questions"),
        (["android_tests/test_cpus.py"], "choose one with --leg, or run all"),
        (["android_tests/test_queue.py", "--variant", "a=stock"], "the campaign file defines"),
    ],
)
def test_bad_input_is_one_line_and_a_non_zero_exit(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = run(*arguments, "--results", str(tmp_path / "r"))
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(errors) == 1, done.stderr
    assert words in errors[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "r").exists()


def test_a_folder_of_another_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    content = json.dumps({"schema_version": 99})
    (tmp_path / "campaign.json").write_text(content)
    done = run("--pairs", "6", "--results", str(tmp_path))
    assert done.returncode != 0
    assert "schema version 99" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["campaign.json"]
    assert (tmp_path / "campaign.json").read_text() == content
