"""The one folder on the device that a capture writes to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from foundation.contract.device import Device
from foundation.errors import StateError, SuiteError

FOLDER: Final = "/data/local/tmp/reclaim-suite-capture"


class RemoteFolder:
    """Holds the capture's programs and files on the device; needs no root."""

    def __init__(self, device: Device, folder: str = FOLDER) -> None:
        self._device = device
        self._folder = folder
        self._made = False

    def make(self) -> None:
        """Create it, empty, also if a killed run left one."""
        self._made = True
        self._device.shell(["rm", "-rf", self._folder])
        self._device.shell(["mkdir", "-p", self._folder])
        # Even if commands run through `su`, files are pushed and pulled by the shell user.
        self._device.shell(["chmod", "777", self._folder])

    def path(self, name: str) -> str:
        """The path of ``name`` on the device."""
        return f"{self._folder}/{name}"

    def push_program(self, name: str, local: Path) -> None:
        """Push an executable."""
        self._device.push(local, self.path(name), mode=0o755)

    def remove(self, *, quiet: bool = False) -> None:
        """Remove it and check; may be called twice. StateError unless ``quiet``."""
        if not self._made:
            return
        try:
            remove_checked(self._device, "-rf", self._folder)
            self._made = False
        except SuiteError:
            if not quiet:
                raise


def remove_checked(device: Device, flags: str, path: str) -> None:
    """``rm FLAGS PATH`` on the device. StateError if the path still exists."""
    device.shell(["rm", flags, path])
    if device.shell(["test", "-e", path], check=False).exit_status == 0:
        raise StateError(
            f"{path} could not be removed", device=device.serial, next_step="remove it by hand"
        )
