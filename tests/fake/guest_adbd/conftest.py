"""The daemon, and an adb server that is connected to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from foundation.ports import free_port
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.virtual.guest_programs import guest_program


@pytest.fixture(scope="module")
def server() -> Iterator[AdbServer]:
    with AdbServer.start() as started:
        yield started


@pytest.fixture
def daemon() -> Iterator[int]:
    """Port of a daemon on the loopback interface."""
    port = free_port()
    with subprocess.Popen(
        [guest_program("adbd"), "--listen", "127.0.0.1", "--port", str(port)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield port
        assert process.poll() is None, "the daemon ended by itself"
        process.kill()


@pytest.fixture
def device(server: AdbServer, daemon: int) -> Iterator[AdbDevice]:
    serial = server.connect(f"127.0.0.1:{daemon}", deadline_s=20)
    yield AdbDevice(server, serial, emulated=True)
    server.disconnect(serial)
