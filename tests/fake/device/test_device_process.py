"""Processes that run in the background, and that are gone after stop."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import CommandTimeout, DeviceError, DeviceLost
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.deadline import Deadline, wait_until
from tests.stand_ins.device import FakeDevice, HostShell

_SHELLS = [shell for shell in (["sh"], ["busybox", "sh"], ["mksh"]) if shutil.which(shell[0]) is not None]


@pytest.fixture(params=_SHELLS, ids=" ".join)
def host_device(request: pytest.FixtureRequest, adb: AdbServer) -> Iterator[AdbDevice]:
    """As everywhere, with each shell that a device may have; Android's is mksh."""
    with FakeDevice(shell=HostShell(request.param)) as made:
        yield AdbDevice(adb, adb.connect(made.serial))
        adb.disconnect(made.serial)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_stop_ends_it_and_returns_what_it_printed(host_device: AdbDevice, tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    process = host_device.spawn(
        ["sh", "-c", f"echo ready; echo hm >&2; echo x > {printed}; exec sleep 600"]
    )
    assert wait_until(printed.exists, Deadline(20))
    assert process.poll() is None
    assert not _gone(process.pid)
    result = process.stop()
    assert result.exit_status == 128 + signal.SIGTERM
    assert (result.stdout, result.stderr) == ("ready\n", "hm\n")
    assert _gone(process.pid)
    assert process.poll() == result.exit_status


def test_children_end_too(host_device: AdbDevice, tmp_path: Path) -> None:
    file = tmp_path / "child"
    process = host_device.spawn(["sh", "-c", f"sleep 600 & echo $! > {file}; wait"])
    assert wait_until(lambda: file.exists() and file.read_text().strip() != "", Deadline(20))
    process.stop()
    assert wait_until(lambda: _gone(int(file.read_text())), Deadline(10))


def test_one_that_ignores_sigterm_is_killed(host_device: AdbDevice, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    text = f"trap '' TERM; echo x > {ready}; while :; do sleep 0.1; done"
    process = host_device.spawn(["sh", "-c", text])
    assert wait_until(ready.exists, Deadline(20))
    result = process.stop(deadline_s=5)
    assert result.exit_status == 128 + signal.SIGKILL
    assert _gone(process.pid)


def test_its_own_end_is_seen(host_device: AdbDevice) -> None:
    process = host_device.spawn(["sh", "-c", "echo done; exit 5"])
    assert process.wait(deadline_s=20) == 5
    result = process.stop()
    assert (result.exit_status, result.stdout) == (5, "done\n")
    assert process.stop().exit_status == 5


def test_wait_leaves_it_running(host_device: AdbDevice) -> None:
    process = host_device.spawn(["sleep", "600"])
    with pytest.raises(CommandTimeout, match="'sleep 600' did not end"):
        process.wait(deadline_s=0.2)
    assert process.poll() is None
    process.stop()


def test_much_output_does_not_block_it(host_device: AdbDevice, tmp_path: Path) -> None:
    done = tmp_path / "done"
    process = host_device.spawn(["sh", "-c", f"seq 1 300000; echo x > {done}; exec sleep 600"])
    assert wait_until(done.exists, Deadline(60))
    assert process.stop().stdout.splitlines()[-1] == "300000"


def test_program_that_does_not_exist(host_device: AdbDevice) -> None:
    process = host_device.spawn(["no-such-program"])
    assert process.wait(deadline_s=20) == 127
    assert "not found" in process.stop().stderr


def test_output_that_a_child_holds_is_reported(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.hang.add("stuck")
    process = device.spawn(["stuck"])
    fake.faults.exit_status["kill"] = 0
    fake.programs["kill"] = lambda call: 0
    with pytest.raises(CommandTimeout, match="survived SIGKILL"):
        process.stop(deadline_s=1)


def test_poll_and_stop_report_a_lost_device(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.hang.add("poller")
    process = device.spawn(["poller"])
    fake.vanish()

    def lost() -> bool:
        try:
            process.poll()
        except DeviceLost:
            return True
        return False

    assert wait_until(lost, Deadline(10))
    with pytest.raises(DeviceLost, match="poller"):
        process.stop()


def test_start_that_is_lost(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.drop_at = "opened"
    fake.faults.drop_service = "poller"
    with pytest.raises(DeviceLost):
        device.spawn(["poller"])


def test_greeting_instead_of_a_pid(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.greeting = b"Welcome!\n"
    with pytest.raises(DeviceError, match="instead of its pid"):
        device.spawn(["poller"])
