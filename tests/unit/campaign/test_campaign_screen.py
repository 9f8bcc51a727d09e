"""The drawn screen of a real pytest on a pseudo terminal; the campaign only pretends to measure.

The view, its place beside pytest and the terminal are the real ones; the blocks take as long
as a file tells them, so that a test decides what happens when.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal

ROOT = Path(__file__).parents[3]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")

CONFTEST = """
import time
from pathlib import Path

import pytest

from analysis.judging.interim import Interim
from harness.campaign.terminal.pytest_terminal import view_of
from harness.campaign.phase import Phase
from harness.campaign.terminal.progress import Progress
from harness.campaign.schedule import schedule

HERE = Path(__file__).parent
BLOCKS = schedule(("baseline", "patched"), ("idle",), 2, 1, ("virtual-0",))


def gate(name):
    (HERE / f"{name}.reached").touch()
    until = time.monotonic() + 60
    while not (HERE / name).exists() and time.monotonic() < until:
        time.sleep(0.02)


def pytest_configure(config):
    config.progress = Progress(BLOCKS, view_of(config), "app-switching", "virtual-0")


def pytest_report_teststatus(report):
    return (report.outcome, "", "") if report.when == "call" else None


def pytest_generate_tests(metafunc):
    metafunc.parametrize("block", BLOCKS, ids=[block.folder() for block in BLOCKS])


def pytest_collection_finish(session):
    session.config.pluginmanager.getplugin("terminalreporter").showfspath = False


@pytest.fixture(scope="session")
def campaign(pytestconfig):
    yield pytestconfig.progress
    (HERE / "restored").touch()
    pytestconfig.progress.view.close()


@pytest.fixture
def run(campaign):
    def run(block):
        campaign.begin(block)
        campaign.phase(block, Phase.BOOT, f"booting {block.variant}=stock")
        campaign.phase(block, Phase.CAPTURE, f"repetition 0: {block.scenario}")
        print("a test that prints must not break the screen")
        gate(f"go-{block.index}")
        campaign.end(block, "valid")
        if block.index == 1:
            campaign.judged(
                block,
                [Interim("idle", "kswapd_cpu_ms", "baseline", "patched", "ms", 1, 2, "ratio", *3 * [0.7])],
            )

    return run
"""

TESTS = """
import os

import pytest


def test_block(run, block):
    run(block)
    if block.index == 3 and "SUITE_TEST_FAILS" in os.environ:
        pytest.fail("the kernel under test failed: it panicked", pytrace=False)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_campaign.py").write_text(TESTS)
    return tmp_path


def start(
    folder: Path, *more: str, columns: int = 100, environment: dict[str, str] | None = None
) -> Terminal:
    return Terminal(
        [*PYTEST, "--rootdir", str(folder), str(folder), *more],
        columns=columns,
        cwd=folder,
        environment={"PYTHONPATH": str(ROOT), **(environment or {})},
    )


def go(folder: Path, *indices: int) -> None:
    for index in indices:
        (folder / f"go-{index}").touch()


def test_the_screen_shows_the_campaign_and_leaves_its_lines_behind(folder: Path) -> None:
    with start(folder) as terminal:
        terminal.wait_for(r"\[capture\]")
        terminal.wait_for("time left unknown until the first block ends")
        assert terminal.cursor_hidden
        go(folder, 0, 1)
        terminal.wait_for("2 of 4 blocks")
        terminal.wait_for("NOT YET A VERDICT")
        terminal.wait_for("idle  kswapd_cpu_ms  -30.0%")
        shown = terminal.shown()
        assert sum("of 4 blocks" in row for row in shown) == 1, "the part is drawn in place"
        assert not any("a test that prints" in row for row in shown)
        go(folder, 2, 3)
        assert terminal.finish() == 0
        shown = terminal.shown()
        text = "\n".join(shown)
        assert not terminal.cursor_hidden
        assert "of 4 blocks  app" not in text, "the drawn part is gone"
        heads = [row for row in shown if row.startswith("block ")]
        assert [head[:9] for head in heads] == [f"block {n}/4" for n in (1, 2, 3, 4)]
        assert "  not yet a verdict: idle, patched, 1 of 2 pairs: kswapd_cpu_ms -30.0%" in shown
        assert re.search(r"=+ 4 passed in .* =+$", text)


def test_a_failure_is_told_by_pytest_as_always(folder: Path) -> None:
    go(folder, 0, 1, 2, 3)
    with start(folder, environment={"SUITE_TEST_FAILS": "1"}) as terminal:
        assert terminal.finish() == 1
        text = "\n".join(terminal.shown())
        assert "the kernel under test failed: it panicked" in text
        assert "1 failed, 3 passed" in text
        assert not terminal.cursor_hidden


@pytest.mark.parametrize("how", ["key", "SIGINT"])
def test_ctrl_c_gives_the_terminal_back(folder: Path, how: str) -> None:
    go(folder, 0)
    with start(folder) as terminal:
        terminal.wait_for(r"1 of 4 blocks")
        terminal.wait_for(r"\[capture\]")
        if how == "key":
            terminal.type(b"\x03")
        else:
            terminal.stop(signal.SIGINT)
        assert terminal.finish() == 2
        text = "\n".join(terminal.shown())
        assert (folder / "restored").exists()
        assert not terminal.cursor_hidden
        assert "of 4 blocks  app" not in text, text
        assert "[capture]" not in text
        assert "block 2/4: idle" in text, "what was said stays"
        assert "KeyboardInterrupt" in text


def test_a_narrow_terminal_that_is_resized_shows_one_whole_part(folder: Path) -> None:
    go(folder, 0, 1)
    with start(folder, columns=60) as terminal:
        terminal.wait_for(r"2 of 4 blocks")
        terminal.wait_for(r"block 3/4")
        assert all(len(row) <= 60 for row in terminal.shown())
        for columns, rows in ((100, 30), (40, 12), (60, 24)):
            terminal.resize(columns, rows)
            # The row of the lane is cut at 40 columns, and only there.
            lane = r"virtual-0[^\n]*\(block 3\)" if columns > 40 else "virtual-0[^\n]*…"
            terminal.wait_for(rf"2 of 4 blocks[^\n]*\n[^\n]*s left, until [^\n]*\n{lane}\n.*\[capture\]")
        terminal.wait_for("(?m)^block 3/4")
        shown = terminal.shown()
        assert sum("of 4 blocks" in row for row in shown) == 1, shown
        assert sum(row.startswith("block 3/4") for row in shown) == 1, shown
        go(folder, 2, 3)
        assert terminal.finish() == 0
        assert "4 passed" in "\n".join(terminal.shown())


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
        ((), {"CI": "true"}),
        (("--color=no",), {}),
    ],
    ids=["NO_COLOR", "dumb", "CI", "color=no"],
)
def test_plain_lines_where_nothing_should_be_drawn(
    folder: Path, more: tuple[str, ...], environment: dict[str, str]
) -> None:
    go(folder, 0, 1, 2, 3)
    with start(folder, *more, environment=environment) as terminal:
        assert terminal.finish() == 0
        assert not re.search(rb"\x1b\[[0-9]*[AJH]|\x1b\[\?25", terminal.raw)
        assert "[capture]" not in terminal.said()
        assert terminal.said().count("block 2/4") == 1


def test_a_pipe_gets_plain_lines(folder: Path) -> None:
    go(folder, 0, 1, 2, 3)
    done = subprocess.run(
        [*PYTEST, "--rootdir", str(folder), str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("block ")][1].startswith(
        "block 2/4: idle, pair 1, "
    )


_WHAT_IS_IMPORTED = """
import sys
import pytest
status = pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]])
print("rich is imported:", "rich" in sys.modules)
sys.exit(status)
"""


@pytest.mark.parametrize(
    "words", [("--help",), ("android_tests", "--dry-run", "--campaign", "queue")], ids=["help", "dry run"]
)
def test_what_draws_no_screen_does_not_import_rich(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WHAT_IS_IMPORTED, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rich is imported: False" in done.stdout
