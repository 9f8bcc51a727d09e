"""Bringing a large file from a device: progress told, hash compared on both sides, tried twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from foundation.contract.device import Device
from foundation.errors import DeviceError, DeviceLost
from foundation.files import sha256_of
from foundation.progress import Progress, silent

_MIB: Final = 1 << 20
#: Smaller files are there before anybody wonders.
_TOLD_FROM: Final = 64 * _MIB
_STEPS: Final = 5
#: Slowest flash memory that is reckoned with, bytes a second.
_SLOWEST: Final = 20 * _MIB
RECONNECT_DEADLINE_S: Final = 60.0


@runtime_checkable
class _Reconnecting(Protocol):
    def reconnect(self, *, deadline_s: float) -> bool: ...


def pull_checked(device: Device, remote: str, local: Path, say: Progress = silent) -> None:
    """Copy ``remote`` to ``local``; once more if it was damaged or the device was lost meanwhile.

    DeviceError if the hash still differs, DeviceLost if the device does not come back.
    """
    told, size = _on_device(device, remote)
    try:
        _pull(device, remote, local, told, size, say)
    except DeviceLost:
        if not isinstance(device, _Reconnecting) or not device.reconnect(deadline_s=RECONNECT_DEADLINE_S):
            raise
        say("the device was lost while the trace was pulled; pulling it again")
        _pull(device, remote, local, told, size, say)
    except DeviceError as error:
        say(f"{error.what}; pulling it again")
        _pull(device, remote, local, told, size, say)


def _on_device(device: Device, remote: str) -> tuple[str, int]:
    size = int(device.shell(["stat", "-c", "%s", remote]).stdout.split()[0])
    deadline_s = 60.0 + size / _SLOWEST
    return device.shell(["sha256sum", remote], deadline_s=deadline_s).stdout.split()[0], size


def _pull(device: Device, remote: str, local: Path, told: str, size: int, say: Progress) -> None:
    device.pull(remote, local, progress=_told(size, say))
    got = sha256_of(local)
    if got != told:
        there = local.stat().st_size
        local.unlink()
        raise DeviceError(
            f"the trace was damaged on its way: {there} bytes with hash {got[:12]}, "
            f"the device has {size} bytes with {told[:12]}",
            device=device.serial,
            next_step="check the cable and measure the repetition again",
        )


def _told(size: int, say: Progress) -> Callable[[int], None]:
    """What `Device.pull` calls with the bytes so far; says something at each fifth of a large file."""
    done = 0

    def progress(got: int) -> None:
        nonlocal done
        step = got * _STEPS // size if size >= _TOLD_FROM else 0
        if step > done:
            done = step
            say(f"pulling the trace: {got // _MIB} of {size // _MIB} MiB")

    return progress
