"""The survey's changes on a real kernel, behind the real adbd and shell."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from android_tests.__main__ import main
from foundation.errors import SuiteError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.deadline import Deadline, wait_until
from harness.device.preconditions.zram_state import Swap, parse_swaps
from harness.survey import changing, command
from harness.survey.questions import QUESTIONS
from harness.virtual.base import parse_base
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

BASE = parse_base("6.12-amd64")
PRIORITY = 100


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualLane]:
    with contextlib.closing(
        VirtualLane(base=BASE, clock="host", workdir=tmp_path_factory.mktemp("lane"))
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def device(lane: VirtualLane) -> AdbDevice:
    booted = boot_into(lane, virtual_variant("baseline=stock", BASE))
    assert isinstance(booted, AdbDevice)
    booted.script(
        f"echo 33554432 > /sys/block/zram0/disksize; mkswap /dev/zram0; swapon -p {PRIORITY} /dev/zram0"
    )
    return booted


def swaps(device: AdbDevice) -> list[Swap]:
    return parse_swaps(device.read_text("/proc/swaps"))


def test_a_timed_swapoff_leaves_the_swap_on(
    lane: VirtualLane, device: AdbDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "_WATCH_SWAP_S", 1)
    monkeypatch.setattr(command, "QUESTIONS", tuple(q for q in QUESTIONS if q.name in ("zram", "vm")))
    assert isinstance(lane._server, AdbServer)
    options = ["--serial", device.serial, "--adb-port", str(lane._server.port), "--watch-minutes", "0"]
    assert main(["survey", *options, "--may-change", "--out", str(tmp_path / "out")]) == 0
    assert [(swap.path, swap.priority) for swap in swaps(device)] == [("/dev/zram0", PRIORITY)]
    item = json.loads(next((tmp_path / "out" / "items").glob("*-swapoff.json")).read_text())
    printed = "\n".join(line for entry in item["entries"] for line in entry["stdout"])
    assert "status 0 swapoff /dev/zram0" in printed
    assert f"status 0 swapon -p {PRIORITY} /dev/zram0" in printed


def test_a_lost_cable_leaves_the_swap_on(lane: VirtualLane, device: AdbDevice) -> None:
    """The text goes on without its stream: neither SIGHUP nor a closed output ends it."""
    server = lane._server
    assert isinstance(server, AdbServer)
    (swap,) = swaps(device)
    text = changing.without_swap_text(swap, ["sleep 5", "echo into nothing", "sleep 1"])

    def run() -> None:
        with contextlib.suppress(SuiteError):
            device.script(text, deadline_s=60.0)

    running = threading.Thread(target=run)
    running.start()
    assert wait_until(lambda: not swaps(device), Deadline(30.0), every_s=0.1)
    server.disconnect(device.serial)
    running.join()
    assert device.reconnect(deadline_s=60.0)
    assert wait_until(lambda: bool(swaps(device)), Deadline(30.0), every_s=0.2)
    assert swaps(device)[0].priority == PRIORITY
