"""A short A/B campaign on both real kernels, interrupted, resumed and judged, as a user does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 600


def command(results: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        *("-m", "pytest", "android_tests/test_app_switching.py", "-p", "no:cacheprovider"),
        *("--profile", "smoke", "--pairs", "1", "--reps", "1", "--seed", "4"),
        *("--results", str(results), "--fail-on", "none", *more),
    ]


def qemu_children(pid: int) -> list[int]:
    """QEMU processes whose command line names a console of ours, started by ``pid``."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            comm = (folder / "comm").read_text().strip()
        except OSError:
            continue
        if comm.startswith("qemu-system") and int(fields[1]) == pid:
            found.append(int(folder.name))
    return found


def records(results: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(results.glob("blocks/*/block.json"))]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Results of one campaign that was interrupted in its second block and resumed."""
    results = tmp_path_factory.mktemp("campaign") / "results"
    log = results.parent / "first.log"
    with log.open("wb") as stream:
        # One at a time, so that it is known what is finished; the second run has several side by side.
        alone = command(results, "--virtual-parallel", "1")
        first = subprocess.Popen(alone, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)
        limit = time.monotonic() + DEADLINE_S
        while len(records(results)) < 1 or b"block 2/4" not in log.read_bytes():
            assert first.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.5)
        time.sleep(3)
        children = qemu_children(first.pid)
        os.kill(first.pid, signal.SIGINT)
        first.wait(timeout=60)
    assert first.returncode == 2, log.read_text()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()], "a virtual device still runs"
    assert len(records(results)) == 1, "the finished block is kept"
    second = subprocess.run(
        command(results), cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert second.returncode == 0, second.stdout + second.stderr
    return results, second.stdout


def test_the_half_pair_was_kept_aside_and_measured_again(campaign: tuple[Path, str]) -> None:
    results, output = campaign
    assert "resuming" in output
    assert len(list((results / "interrupted").iterdir())) >= 1
    assert [record["index"] for record in records(results)] == [0, 1, 2, 3]
    assert {record["seed"] for record in [json.loads((results / "campaign.json").read_text())]} == {4}


def test_no_kernel_failed_and_each_variant_was_proved(campaign: tuple[Path, str]) -> None:
    results, _ = campaign
    for record in records(results):
        assert record["outcome"] in ("valid", "void"), record["failure"]
        assert record["boot_id"]
        gates = {gate["name"]: gate for gate in record["gates"]}
        assert gates["identity"]["ok"]
        assert ("live counter" in gates) == (record["variant"] == "patched")
        assert ("kcompressd" in gates["identity"]["detail"]) == (record["variant"] == "patched")
    # A boot id is a random number of the kernel's, which equal boots in lock-step have in common.
    assert len({record["identity"]["parts"]["image"] for record in records(results)}) == 2


def test_every_pinned_setting_was_read_back(campaign: tuple[Path, str]) -> None:
    results, _ = campaign
    for record in records(results):
        names = " ".join(pin["name"] for pin in record["pins"])
        for wanted in ("zram", "swappiness", "page-cluster"):
            assert wanted in names.replace("_", "-")


def test_a_void_can_only_come_from_the_host(campaign: tuple[Path, str]) -> None:
    results, _ = campaign
    for path in sorted(results.glob("blocks/*/rep-*/rep.json")):
        repetition = json.loads(path.read_text())
        foreign = [
            r for r in repetition["void_reasons"] if "other programs used" not in r and "stolen" not in r
        ]
        assert foreign == [], path
        assert repetition["mismatches"] == 0
        assert repetition["pages_verified"] > 0
        assert repetition["kills"] == 0


def test_the_figures_tell_the_kernels_apart(campaign: tuple[Path, str]) -> None:
    import pandas as pd

    results, _ = campaign
    table = pd.read_parquet(results / "metrics.parquet")

    def mean(metric: str, variant: str) -> float:
        rows = table[(table["metric"] == metric) & (table["variant"] == variant)]
        return float(rows["value"].mean())

    for variant in ("baseline", "patched"):
        assert mean("pswpout", variant) > 0
        assert mean("kswapd_cpu_ms", variant) > 0
    assert mean("compression_cpu_ms", "baseline") == 0
    assert mean("compression_cpu_ms", "patched") > 0


def test_the_verdicts_are_exploratory_and_complete(campaign: tuple[Path, str]) -> None:
    results, output = campaign
    rows = json.loads((results / "verdicts.json").read_text())
    primaries = {"kswapd_cpu_ms", "reclaim_cpu_us_per_page", "allocstall"}
    for scenario in ("idle", "busy"):
        assert primaries <= {row["metric"] for row in rows if row["scenario"] == scenario}
    assert {row["verdict"] for row in rows} <= {"UNDECIDED"}, "one pair decides nothing"
    assert (results / "report.html").stat().st_size > 0
    assert "emulated" in (results / "report.html").read_text().lower()
    assert "report:" in output


def test_junit_holds_blocks_and_verdicts(campaign: tuple[Path, str]) -> None:
    results, _ = campaign
    names = [case.get("name", "") for case in ElementTree.parse(results / "junit.xml").iter("testcase")]
    assert sum(name.startswith("test_block[") for name in names) == 4
    assert sum(name.startswith("test_verdict[") for name in names) == 6


def test_a_third_run_measures_nothing_and_says_the_same(campaign: tuple[Path, str]) -> None:
    results, _ = campaign
    before = (results / "verdicts.json").read_bytes()
    third = subprocess.run(
        command(results), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert third.returncode == 0, third.stdout
    assert "booting" not in third.stdout
    assert (results / "verdicts.json").read_bytes() == before


def test_another_command_on_the_same_folder_is_refused(campaign: tuple[Path, str]) -> None:
    results, _ = campaign
    other = subprocess.run(
        command(results, "--pairs", "2"), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert other.returncode != 0
    assert "another pairs" in other.stdout + other.stderr
