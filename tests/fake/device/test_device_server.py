"""The adb server: the suite's own, next to others, and one that already runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.errors import DeviceLost, HostError, LabError, UsageError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import DEFAULT_PORT, AdbServer, adb_binary
from harness.device.deadline import Deadline, wait_until
from tests.stand_ins.device import FakeDevice

_ROOT = Path(__file__).resolve().parents[3]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_own_server_answers_on_a_port_of_its_own(adb: AdbServer) -> None:
    assert adb.owned
    assert adb.alive
    assert adb.port != DEFAULT_PORT


def test_two_servers_do_not_disturb_each_other() -> None:
    with FakeDevice() as one, FakeDevice() as two, AdbServer.start() as first:
        held = AdbDevice(first, first.connect(one.serial))
        with AdbServer.start() as second:
            assert second.port != first.port
            other = AdbDevice(second, second.connect(two.serial))
            assert [known.serial for known in first.devices()] == [one.serial]
            assert [known.serial for known in second.devices()] == [two.serial]
            assert other.shell(["echo", "two"]).stdout == "two\n"
        assert not second.alive
        assert held.shell(["echo", "one"]).stdout == "one\n"


def test_server_of_somebody_else_is_never_ended(fake: FakeDevice) -> None:
    port = _free_port()
    theirs = subprocess.Popen(
        [str(adb_binary()), "-L", f"tcp:localhost:{port}", "server", "nodaemon"],
        env={**os.environ, "ADB_USB": "0", "ADB_EMU": "0", "ADB_MDNS": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: _listens(port), Deadline(20))
        with AdbServer.attach(port) as attached:
            assert not attached.owned
            device = AdbDevice(attached, attached.connect(fake.serial))
            assert device.shell(["echo", "theirs"]).stdout == "theirs\n"
            attached.stop()
        with AdbServer.start():
            pass
        assert theirs.poll() is None
        assert attached.alive
    finally:
        theirs.kill()
        theirs.wait()


def test_attach_where_nothing_listens() -> None:
    port = _free_port()
    with pytest.raises(LabError, match=f"no adb server answers on port {port} -> give the port of a run"):
        AdbServer.attach(port)
    assert not _listens(port)


def test_attach_to_no_port_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="70000 is not a port"):
        AdbServer.attach(70000)


def test_server_ends_when_its_parent_is_killed() -> None:
    program = (
        "import os, time\n"
        "from harness.device.adb.adb_server import AdbServer\n"
        "print(AdbServer.start().port, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert _listens(port)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        assert wait_until(lambda: not _listens(port), Deadline(10))
    finally:
        parent.kill()
        parent.wait()


def test_server_ends_with_a_process_that_forgets_it() -> None:
    program = (
        "from harness.device.adb.adb_server import AdbServer\n"
        "print(AdbServer.start().port, flush=True)\n"
        "raise KeyboardInterrupt\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    port = int(ended.stdout)
    assert wait_until(lambda: not _listens(port), Deadline(10))


def test_stop_may_be_called_twice_and_nothing_is_started_instead(
    fake: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where adbutils by itself would start a server, if it could not reach one.
    default = _free_port()
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(default))
    server = AdbServer.start()
    assert server.port != default
    device = AdbDevice(server, server.connect(fake.serial))
    device.shell(["true"])
    server.stop()
    server.stop()
    with pytest.raises(DeviceLost, match=f"the adb server on port {server.port} is gone"):
        device.shell(["true"])
    with pytest.raises(LabError, match="does not answer -> start again"):
        server.devices()
    assert not _listens(server.port)
    assert not _listens(default)


def test_a_server_that_cannot_start_reports_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "adb"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("harness.device.adb.adb_server.adb_binary", lambda: broken)
    with pytest.raises(HostError, match="did not come up within 5 s: no such luck"):
        AdbServer.start(deadline_s=5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
