"""What a person reads when the device is not there, not alone, not trusting, or not answering."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foundation.errors import DeviceLost, LabError, SuiteError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.adb.discovery import choose
from harness.device.deadline import Deadline, wait_until
from tests.stand_ins.device import FakeDevice


@pytest.fixture
def server() -> Iterator[AdbServer]:
    """A server that knows no device yet."""
    with AdbServer.start() as started:
        yield started


def _said(server: AdbServer, serial: str | None) -> str:
    with pytest.raises(LabError) as caught:
        choose(serial, server)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_none(server: AdbServer) -> None:
    assert _said(server, None) == (
        f"the adb server on port {server.port} sees no device"
        " -> plug it in with USB debugging on, or name the port of the adb server that has it (--adb-port),"
        " an emulator (--serial emulator-5554), or an address (Cuttlefish: --serial 0.0.0.0:6520)"
    )
    assert "sees no device 1234 ->" in _said(server, "1234")


def test_the_only_one_needs_no_choice(server: AdbServer, fake: FakeDevice) -> None:
    server.connect(fake.serial)
    assert choose(None, server) == fake.serial
    assert choose(fake.serial, server) == fake.serial


def test_several(server: AdbServer, fake: FakeDevice) -> None:
    with FakeDevice() as other:
        server.connect(fake.serial)
        server.connect(other.serial)
        said = _said(server, None)
        assert said.startswith("2 devices are attached and none was chosen: ")
        assert fake.serial in said
        assert other.serial in said
        assert "-> choose one, such as --serial 127.0.0.1:" in said
        assert choose(other.serial, server) == other.serial


def test_unknown_serial_gets_the_nearest(server: AdbServer, fake: FakeDevice) -> None:
    server.connect(fake.serial)
    assert f"sees no device {fake.serial}1 -> did you mean {fake.serial}?" in _said(
        server, f"{fake.serial}1"
    )
    assert f"attached: {fake.serial}" in _said(server, "zzzzzz")


def test_unauthorized(server: AdbServer, fake: FakeDevice) -> None:
    fake.faults.authorized = False
    with pytest.raises(
        LabError, match="does not trust this host -> unlock the device and accept 'Allow USB"
    ):
        server.connect(fake.serial, deadline_s=20)
    said = _said(server, fake.serial)
    assert said.startswith(f"[{fake.serial}] the device does not trust this host -> unlock the device")
    assert _said(server, None) == said
    with pytest.raises(LabError, match="does not trust this host"):
        AdbDevice(server, fake.serial).shell(["true"])
    fake.faults.authorized = True
    fake.drop()
    server.disconnect(fake.serial)
    assert server.connect(fake.serial) == fake.serial


def test_offline(server: AdbServer, fake: FakeDevice) -> None:
    fake.faults.answers = False
    with pytest.raises(LabError, match="it accepts the connection but does not answer"):
        server.connect(fake.serial, deadline_s=1)
    assert _said(server, fake.serial) == (
        f"[{fake.serial}] the device is offline: adb sees it, but it does not answer"
        " -> plug it in again, or restart it; then run: python -m android_tests adb reconnect offline"
    )
    with pytest.raises(DeviceLost, match="offline"):
        AdbDevice(server, fake.serial).shell(["true"])


def test_refused(server: AdbServer, fake: FakeDevice) -> None:
    fake.vanish()
    with pytest.raises(LabError, match="Connection refused -> check that the device is up"):
        server.connect(fake.serial, deadline_s=1)
    assert not server.wait_for_device(fake.serial, deadline_s=0.5)


def test_one_that_comes_up_late_is_waited_for(server: AdbServer, fake: FakeDevice) -> None:
    fake.vanish()
    fake.come_back(after_s=1.0)
    assert server.connect(fake.serial, deadline_s=30) == fake.serial


def test_port_that_accepts_before_the_device_listens(server: AdbServer, fake: FakeDevice) -> None:
    fake.faults.drop_at = "cnxn"
    assert server.connect(fake.serial, deadline_s=30) == fake.serial


def test_not_known_to_this_server(server: AdbServer) -> None:
    with pytest.raises(DeviceLost, match=r"device '127.0.0.1:9' not found"):
        AdbDevice(server, "127.0.0.1:9").shell(["true"])


@pytest.mark.parametrize("stage", ["open", "opened", "output", "exit"])
def test_disconnect_at_every_stage_of_a_command(device: AdbDevice, fake: FakeDevice, stage: str) -> None:
    fake.faults.drop_service = "echo hello"
    fake.faults.drop_at = stage  # type: ignore[assignment]  # a Stage
    with pytest.raises(DeviceLost, match="the connection was lost during 'echo hello'") as caught:
        device.shell(["echo", "hello"])
    assert caught.value.transient
    assert device.reconnect(deadline_s=30)
    assert device.shell(["echo", "hello"]).stdout == "hello\n"


def test_vanished_and_come_back(device: AdbDevice, fake: FakeDevice) -> None:
    fake.vanish()
    assert wait_until(lambda: _fails(device), Deadline(20))
    assert not device.reconnect(deadline_s=0.5)
    fake.come_back(after_s=0.5)
    assert device.reconnect(deadline_s=30)
    assert device.shell(["echo", "back"]).stdout == "back\n"


def test_reconnect_sees_a_device_that_lost_its_root(device: AdbDevice, fake: FakeDevice) -> None:
    assert device.is_root
    fake.root = False
    fake.restart()
    assert device.reconnect(deadline_s=30)
    assert not device.is_root


def _fails(device: AdbDevice) -> bool:
    try:
        device.shell(["true"], deadline_s=5)
    except SuiteError:
        return True
    return False
