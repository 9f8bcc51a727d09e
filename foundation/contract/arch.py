"""The architectures that the suite has native programs for."""

from __future__ import annotations

from typing import Final, Literal

from foundation.contract.device import Device
from foundation.errors import DeviceError

Arch = Literal["x86_64", "aarch64"]

_ARCHS: Final[dict[str, Arch]] = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def arch_of(device: Device) -> Arch:
    """The device's architecture by ``uname -m``. DeviceError for one that is not supported."""
    machine = device.shell(["uname", "-m"]).stdout.strip()
    arch = _ARCHS.get(machine)
    if arch is None:
        raise DeviceError(
            f"the device's processor is {machine or 'unknown'}; the suite has x86_64 and aarch64 programs",
            device=device.serial,
            next_step="use a 64-bit device with a 64-bit kernel",
        )
    return arch
