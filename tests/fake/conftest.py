"""The real adb server, a fake device behind it, and the suite's device on top."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.state import ENV_STATE
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device import FakeDevice, HostShell


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests change on fake phones is not noted in this machine's own journal."""
    monkeypatch.setenv(ENV_STATE, str(tmp_path / "state"))


@pytest.fixture(scope="session")
def adb() -> Iterator[AdbServer]:
    """An adb server of the tests' own."""
    with AdbServer.start() as server:
        yield server


@pytest.fixture
def fake(adb: AdbServer) -> Iterator[FakeDevice]:
    """A fake device with files in memory; it is forgotten by the server afterwards."""
    with FakeDevice() as made:
        yield made
        adb.disconnect(made.serial)


@pytest.fixture
def device(adb: AdbServer, fake: FakeDevice) -> AdbDevice:
    """The suite's view of `fake`."""
    return AdbDevice(adb, adb.connect(fake.serial))


@pytest.fixture
def host_device(adb: AdbServer) -> Iterator[AdbDevice]:
    """A device whose shell is this machine's: its commands see this machine's files."""
    with FakeDevice(shell=HostShell()) as made:
        yield AdbDevice(adb, adb.connect(made.serial))
        adb.disconnect(made.serial)
