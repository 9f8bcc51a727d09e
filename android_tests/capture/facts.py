"""Facts of the device that a trace must carry: kernel, clocks, page size, processors."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

from android_tests.capture.remote import RemoteFolder
from android_tests.device.protocol import Device
from foundation.errors import DeviceError

Arch = Literal["x86_64", "aarch64"]

_ARCHS: Final[dict[str, Arch]] = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Facts:
    """What ``recorder facts`` prints; clocks in ns, read one right after the other."""

    sysname: str
    release: str
    version: str
    machine: str
    page_size: int
    cpus: int
    clk_tck: int
    boot_ns: int
    monotonic_ns: int
    monotonic_raw_ns: int
    realtime_ns: int

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Facts:
        """Read what `to_json` or the recorder wrote."""
        return Facts(**json.loads(text))


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


def read_facts(device: Device, remote: RemoteFolder) -> Facts:
    """Ask the recorder, which must have been pushed to ``remote``."""
    return Facts.from_json(device.shell([remote.path("recorder"), "facts"]).stdout)
