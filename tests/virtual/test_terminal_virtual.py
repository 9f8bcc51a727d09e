"""A campaign on the virtual device, as a person at a terminal sees it, and ends it by Ctrl-C."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]


def test_phases_are_shown_and_ctrl_c_gives_terminal_and_device_back(tmp_path: Path) -> None:
    results = tmp_path / "results"
    argv = [
        *(sys.executable, "-m", "pytest", "android_tests/test_app_switching.py", "-p", "no:cacheprovider"),
        *("--profile", "smoke", "--pairs", "1", "--reps", "1", "--seed", "1", "--scenario", "idle", "-v"),
        *("--results", str(results), "--virtual-parallel", "1"),
    ]
    with Terminal(argv, columns=60, rows=24, cwd=ROOT) as terminal:
        for phase in ("boot", "prepare", "capture"):
            terminal.wait_for(rf"\[{phase}\]", limit_s=240)
        assert terminal.cursor_hidden
        assert all(len(row) <= 60 for row in terminal.shown())
        terminal.type(b"\x03")
        assert terminal.finish(limit_s=120) == 2
        assert not terminal.cursor_hidden
        text = "\n".join(terminal.shown())
        assert "[capture]" not in text
        assert "Traceback" not in terminal.said()
        said = terminal.said()
    assert "$ [virtual-0]" in said
    assert "am start" in said
    assert not list(results.glob("blocks/*/block.json"))
