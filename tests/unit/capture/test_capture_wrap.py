"""The one shell text of a measured order: begin sample, order, end sample."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from foundation.contract.needs import Needs
from harness.capture import Capture
from harness.capture.remote import FOLDER

#: Prints its mark; fails for the one that the file ``fails`` names.
POLLER = """#!/bin/sh
[ "$3" = "$(cat {folder}/fails 2>/dev/null)" ] && exit 7
echo "$3"
"""


def run(folder: Path, order: str, fails: str = "") -> tuple[int, str, str]:
    """Exit status, output and the samples of the wrapped order, by this host's shell."""
    (folder / "poller").write_text(POLLER.format(folder=folder))
    (folder / "poller").chmod(0o755)
    (folder / "fails").write_text(fails)
    device = cast("Any", SimpleNamespace(serial="x", emulated=True, sleep=None))
    text = Capture(device, Needs(), folder).wrap(order).replace(FOLDER, str(folder))
    result = subprocess.run(["sh", "-c", text + "; echo status $?"], capture_output=True, text=True)
    said, _, status = result.stdout.strip().rpartition("status ")
    edges = folder / "edges.jsonl"
    return int(status), said.strip(), edges.read_text() if edges.exists() else ""


@pytest.mark.parametrize(
    ("order", "status"),
    [("echo one\necho two", 0), ("echo one; echo two; exit 3", 3), ("echo one; echo two; false", 1)],
)
def test_the_order_runs_between_the_samples(tmp_path: Path, order: str, status: int) -> None:
    assert run(tmp_path, order) == (status, "one\ntwo", "begin\nend\n")


def test_without_a_begin_sample_the_order_does_not_run(tmp_path: Path) -> None:
    assert run(tmp_path, "echo ran", fails="begin") == (7, "", "")


def test_a_failed_end_sample_is_an_error(tmp_path: Path) -> None:
    assert run(tmp_path, "echo ran", fails="end") == (7, "ran", "begin\n")
