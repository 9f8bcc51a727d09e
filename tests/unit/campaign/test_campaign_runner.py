"""`python -m android_tests.campaign` as a user types it, and how its runs are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.campaign.legs_table import legs_table
from harness.campaign.runner import (
    ROOT,
    Run,
    run_all,
    runs_of,
)
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import ResultsFolder

SLEEPER = """
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def device():
    yield
    time.sleep(0.3)
    (HERE / "restored").touch()


def test_block(device):
    (HERE / "begun").touch()
    time.sleep(600)
"""


def test_each_leg_is_a_run_with_its_own_folder(tmp_path: Path) -> None:
    line = {"campaign": "algorithms", "results": tmp_path / "r", "pairs": 3, "scenarios": ("idle",)}
    runs = runs_of({**line, "fail_on": "none"}, ["-v"])
    assert [run.name for run in runs] == ["algorithms/lzo-rle", "algorithms/lz4", "algorithms/zstd"]
    assert [run.results for run in runs] == [tmp_path / "r" / leg for leg in ("lzo-rle", "lz4", "zstd")]
    text = " ".join(runs[1].arguments)
    assert f"--campaign algorithms --leg lz4 --results {tmp_path / 'r'} " in text
    assert text.endswith("--scenario idle --pairs 3 --fail-on none -v")


def test_a_file_without_legs_is_one_run_in_the_folder_itself(tmp_path: Path) -> None:
    (run,) = runs_of({"campaign": "reviewers", "results": tmp_path / "r"})
    assert run.results == tmp_path / "r"
    assert "--leg" not in run.arguments


def test_nothing_begins_if_a_later_leg_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'workload = "app-switching"\nvariants = ["a=stock", "b=stock"]\n'
        '[[legs]]\nname = "good"\n[[legs]]\nname = "bad"\nvariants = ["a=stock", "b=stok"]\n'
    )
    with pytest.raises(UsageError, match="did you mean 'stock'"):
        runs_of({"campaign": str(path)})


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "android_tests.campaign", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_list_says_what_each_campaign_asks() -> None:
    done = run("list")
    assert done.returncode == 0, done.stderr
    assert "algorithms (legs lzo-rle, lz4, zstd)" in done.stdout
    assert "same kernel under a second name" in done.stdout


def test_a_dry_run_shows_every_leg_and_touches_nothing(tmp_path: Path) -> None:
    done = run("run", "cpus", "--dry-run", "--pairs", "2", "--seed", "5", "--results", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    device = "profile phone-like; virtual-0, 6.12-amd64, clock host"
    assert f"cpus/1-cpu: app-switching, {device}, 1 CPU, 224 MB" in done.stdout
    assert f"cpus/4-cpus: app-switching, {device}, 4 CPUs, 224 MB" in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.strip()[:1].isdigit() and " idle " in line]
    assert len(rows) == 2 * 2 * 2
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "algorithm"], "did you mean 'algorithms'"),
        (["run", "algorithms", "--leg", "lz5"], "did you mean 'lz4'"),
        (["run", "algorithms", "--scenario", "bussy"], "did you mean 'busy'"),
        (["run", "algorithms", "--pair", "x"], "'x' is not an integer"),
        (["walk"], "invalid choice"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode == 4
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_lets_the_run_restore_its_device_and_begins_no_other(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "test_sleeper.py").write_text(SLEEPER)
    program = (
        "import sys\nfrom pathlib import Path\nfrom harness.campaign.runner import Run, run_all\n"
        "here = Path(sys.argv[1])\n"
        "arguments = (str(here / 'test_sleeper.py'), '-p', 'no:cacheprovider', '--rootdir', str(here))\n"
        "runs = [Run(name, here / name, arguments) for name in ('one', 'two')]\n"
        "sys.exit(run_all(runs, print))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        limit = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.05)
        os.kill(process.pid, number)
        time.sleep(0.1)
        os.kill(process.pid, number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 2, output
    assert (tmp_path / "restored").exists(), "the second request disturbed the restore"
    assert "2/2" not in output
    assert "interrupted: repeat the same command to resume" in output


def test_a_leg_that_fails_does_not_stop_the_next(tmp_path: Path) -> None:
    (tmp_path / "test_bad.py").write_text("def test_it():\n    assert False\n")
    (tmp_path / "test_good.py").write_text("def test_it():\n    pass\n")
    said: list[str] = []
    runs = [
        Run(name, tmp_path / name, (str(tmp_path / f"test_{name}.py"), "-q", "--rootdir", str(tmp_path)))
        for name in ("bad", "good")
    ]
    assert run_all(runs, said.append) == 1
    assert "=== 2/2: good" in "\n".join(said)
    assert "good: not measured yet" in said[-1]


def test_one_table_stands_over_all_legs(tmp_path: Path) -> None:
    ResultsFolder(tmp_path / "lz4").fill(model).save()
    table = legs_table({f"algorithms/{name}": tmp_path / name for name in ("lz4", "zstd")}).splitlines()
    assert table[0].split()[:4] == ["leg", "scenario", "metric", "variant"]
    (stalls,) = [line for line in table if "allocstall" in line]
    assert stalls.split()[:3] == ["lz4", "idle", "allocstall"]
    assert stalls.endswith("REGRESSED")
    assert "zstd: not measured yet" in table
    assert f"lz4: {tmp_path / 'lz4' / 'report.html'}" in table
