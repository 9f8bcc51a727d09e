"""Choose the device to measure on, or report in one line why none can be used."""

from __future__ import annotations

from collections.abc import Sequence

from foundation.errors import LabError
from foundation.words import nearest
from harness.device.adb.adb_link import UNAUTHORIZED_ADVICE
from harness.device.adb.adb_server import AdbServer, ListedDevice
from harness.device.adb.own_adb import own_adb

_ADVICE = {
    "unauthorized": ("does not trust this host", UNAUTHORIZED_ADVICE),
    "authorizing": ("is still asking whether to trust this host", UNAUTHORIZED_ADVICE),
    "offline": (
        "is offline: adb sees it, but it does not answer",
        f"plug it in again, or restart it; then run: {own_adb('reconnect', 'offline')}",
    ),
    "bootloader": ("is in its bootloader", "boot it: fastboot reboot"),
    "recovery": ("is in recovery", f"boot it: {own_adb('reboot')}"),
    "sideload": ("is in sideload mode", f"boot it: {own_adb('reboot')}"),
}


def choose(serial: str | None, server: AdbServer) -> str:
    """The serial of the device to use: ``serial``, or the only one.

    LabError if there is none, if there are several and no ``serial``, and if it is unknown,
    unauthorized or offline.
    """
    return choose_from(server.devices(), serial, where=f"the adb server on port {server.port}")


def choose_from(listed: Sequence[ListedDevice], serial: str | None, *, where: str) -> str:
    """As `choose`, from a list of devices; ``where`` names the server in messages."""
    if not listed:
        wanted = f"device {serial}" if serial else "device"
        raise LabError(
            f"{where} sees no {wanted}",
            next_step="plug it in with USB debugging on, or name the port of the adb server that has it"
            " (--adb-port), an emulator (--serial emulator-5554), or an address (Cuttlefish:"
            " --serial 0.0.0.0:6520)",
        )
    if serial is None:
        return _only_one(listed)
    for device in listed:
        if device.serial == serial:
            return _usable(device)
    near = nearest(serial, (device.serial for device in listed))
    hint = f"did you mean {near}?" if near else f"attached: {_listing(listed)}"
    raise LabError(f"{where} sees no device {serial}", next_step=hint)


def _only_one(listed: Sequence[ListedDevice]) -> str:
    if len(listed) == 1:
        return _usable(listed[0])
    # Even if only one of them answers, the choice is the user's.
    raise LabError(
        f"{len(listed)} devices are attached and none was chosen: {_listing(listed)}",
        next_step=f"choose one, such as --serial {listed[0].serial}",
    )


def _usable(device: ListedDevice) -> str:
    if device.state == "device":
        return device.serial
    what, advice = _ADVICE.get(
        device.state,
        (f"is in state '{device.state}'", f"plug it in again; {own_adb('devices', '-l')}"),
    )
    raise LabError(f"the device {what}", device=device.serial, next_step=advice)


def _listing(listed: Sequence[ListedDevice]) -> str:
    return ", ".join(
        device.serial if device.state == "device" else f"{device.serial} ({device.state})"
        for device in listed
    )
