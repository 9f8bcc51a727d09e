"""Blocks that run side by side on real guests: the same figures as one by one, and a clean Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.virtual.test_campaign_virtual import DEADLINE_S, ROOT, command, qemu_children, records

#: What the host's clock and load decide, and nothing else.
_OF_THE_HOST = {"started_utc", "host"}


def campaign(results: Path, count: int) -> list[str]:
    same = ("--variant", "a=stock", "--variant", "b=stock", "--scenario", "idle")
    return command(results, *same, "--virtual-parallel", str(count))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Results of one campaign side by side (interrupted and resumed), and one by one."""
    home = tmp_path_factory.mktemp("side-by-side")
    together, alone = home / "together", home / "alone"
    log = home / "first.log"
    with log.open("wb") as stream:
        first = subprocess.Popen(campaign(together, 2), cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)
        limit = time.monotonic() + DEADLINE_S
        while len(qemu_children(first.pid)) < 2:
            assert first.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.1)
        time.sleep(2)
        children = qemu_children(first.pid)
        os.kill(first.pid, signal.SIGINT)
        first.wait(timeout=60)
    assert first.returncode == 2, log.read_text()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()], "a virtual device still runs"
    assert records(together) == [], "a block that was cut short has no result"
    for results, count in ((together, 2), (alone, 1)):
        done = subprocess.run(
            campaign(results, count),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return together, alone


def repetitions(results: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(results.glob("blocks/*/rep-*/rep.json")):
        record = json.loads(path.read_text())
        found[str(path.relative_to(results))] = {
            key: value for key, value in record.items() if key not in _OF_THE_HOST
        }
    return found


def test_both_kernels_of_the_pair_did_the_same(folders: tuple[Path, Path]) -> None:
    together, _ = folders
    assert [record["outcome"] for record in records(together)] == ["valid", "valid"]
    one, other = repetitions(together).values()
    assert one["trace"]["sha256"] == other["trace"]["sha256"]


def test_side_by_side_gives_what_one_by_one_gives(folders: tuple[Path, Path]) -> None:
    together, alone = folders
    assert repetitions(together) == repetitions(alone)
    for name in ("workload.jsonl",):
        contents = [
            [path.read_bytes() for path in sorted(results.glob(f"blocks/*/rep-*/{name}"))]
            for results in folders
        ]
        assert contents[0] == contents[1]
        assert contents[0]
