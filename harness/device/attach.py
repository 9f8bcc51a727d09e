"""From options to one phone and the adb server that has it."""

from __future__ import annotations

import contextlib

from foundation.errors import LabError, UsageError
from foundation.progress import Progress, to_stderr
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import DEFAULT_PORT, AdbServer
from harness.device.adb.addresses import is_address, is_emulator
from harness.device.adb.discovery import choose
from harness.device.adb.su import BEFORE
from harness.device.deadline import Deadline, wait_until
from harness.device.lab import NO_LAB, Lab, serial_of_role


def attach_phone(
    *,
    serial: str | None = None,
    adb_port: int | None = None,
    su: bool = False,
    role: str | None = None,
    lab: Lab = NO_LAB,
    say: Progress = to_stderr,
) -> tuple[AdbServer, AdbDevice]:
    """The phone with that serial, or that role in ``lab``, or the only one. LabError, UsageError.

    The adb server is the one on ``adb_port``; by default the one on 5037 if it runs (it holds
    the USB interfaces of the phones), else the suite's own, which the caller stops. A serial that is
    an address (``HOST:PORT``, ``vsock:CID:PORT``) is connected to by a server of the suite's own.
    With ``su`` a root manager may ask a person, which ``say`` announces; DeviceError if it gives no root.
    """
    if serial is not None and role is not None:
        raise UsageError("--serial and --role both choose a device", next_step="give only one of them")
    server = server_for(serial, adb_port)
    try:
        if role is not None:
            serial = serial_of_role(lab, role, [device.serial for device in server.devices()])
            _connect(server, serial)
        device = AdbDevice(server, choose(serial, server), su=su)
        if su:
            say(BEFORE)
            _ = device.is_root
        return server, device
    except BaseException:
        server.stop()
        raise


def server_for(serial: str | None, adb_port: int | None) -> AdbServer:
    """The adb server for `attach_phone`, connected to ``serial`` if that is an address. LabError."""
    server = _server(serial, adb_port)
    try:
        _connect(server, serial)
    except BaseException:
        server.stop()
        raise
    return server


def _connect(server: AdbServer, serial: str | None) -> None:
    if serial is not None and is_address(serial) and server.state_of(serial) is None:
        server.connect(serial)


def _server(serial: str | None, adb_port: int | None) -> AdbServer:
    if adb_port is not None:
        return AdbServer.attach(adb_port)
    if serial is not None and is_address(serial):
        return AdbServer.start()
    with contextlib.suppress(LabError):
        return AdbServer.attach(DEFAULT_PORT)
    emulator = serial is not None and is_emulator(serial)
    server = AdbServer.start(usb=not emulator, emulators=emulator)

    def found() -> bool:
        return any(serial in (None, device.serial) for device in server.devices())

    # It takes a moment to find them.
    wait_until(found, Deadline(5.0), every_s=0.1)
    return server
