"""Pulling a large file from a device: with progress, a hash check on both sides, and one retry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from foundation.contract.device import Device
from foundation.errors import DeviceError, DeviceLost
from foundation.files import sha256_of
from foundation.progress import Progress, silent

_MIB: Final = 1 << 20
#: Smaller files arrive too quickly for progress lines.
_REPORTED_FROM_BYTES: Final = 64 * _MIB
_STEPS: Final = 5
#: Slowest flash memory to expect, bytes per second.
_SLOWEST: Final = 20 * _MIB
RECONNECT_DEADLINE_S: Final = 60.0


@runtime_checkable
class _Reconnecting(Protocol):
    def reconnect(self, *, deadline_s: float) -> bool: ...


def pull_checked(device: Device, remote: str, local: Path, progress: Progress = silent) -> None:
    """Copy ``remote`` to ``local``; once more if it arrived damaged or the connection broke.

    DeviceError if the hash still differs, DeviceLost if the device does not come back.
    """
    size = int(device.shell(["stat", "-c", "%s", remote]).stdout.split()[0])
    deadline_s = 60.0 + size / _SLOWEST
    sha256 = device.shell(["sha256sum", remote], deadline_s=deadline_s).stdout.split()[0]

    def pull() -> None:
        device.pull(remote, local, progress=_in_steps(size, progress))
        arrived = sha256_of(local)
        if arrived != sha256:
            arrived_bytes = local.stat().st_size
            local.unlink()
            raise DeviceError(
                f"the trace was damaged on its way: {arrived_bytes} bytes with hash {arrived[:12]}, "
                f"the device has {size} bytes with {sha256[:12]}",
                device=device.serial,
                next_step="check the cable and measure the repetition again",
            )

    try:
        pull()
    except DeviceLost:
        if not isinstance(device, _Reconnecting) or not device.reconnect(deadline_s=RECONNECT_DEADLINE_S):
            raise
        progress("the device was lost while the trace was pulled; pulling it again")
        pull()
    except DeviceError as error:
        progress(f"{error.what}; pulling it again")
        pull()


def _in_steps(size: int, progress: Progress) -> Callable[[int], None]:
    """A callback for `Device.pull` that reports each fifth of a large file."""
    done = 0

    def report(pulled_bytes: int) -> None:
        nonlocal done
        step = pulled_bytes * _STEPS // size if size >= _REPORTED_FROM_BYTES else 0
        if step > done:
            done = step
            progress(f"pulling the trace: {pulled_bytes // _MIB} of {size // _MIB} MiB")

    return report
