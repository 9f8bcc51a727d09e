"""The mode of MediaTek's zram, which takes it only while it is reset.

Source: comp_mode_store, zram_reset_device and disksize_store of its zram_drv.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from foundation.contract.device import Device
from harness.device.preconditions.pins import FilePin, write_file
from harness.device.preconditions.zram import ZramPin
from harness.device.preconditions.zram_state import OFF, read_zram


@dataclass(frozen=True)
class ZramModePin(FilePin):
    """A `Pin` of ``/sys/block/zramN/comp_mode``; needs root.

    A write swaps everything in, resets the device, sets the mode, and sets the device up again as it was.
    """

    def write(self, device: Device, value: str) -> None:
        """StateError, NotReady as those of `ZramPin`."""
        disk = self.path.split("/")[-2]
        before = read_zram(device, disk)
        pin = ZramPin(before.disksize >> 20, before.algorithm, disk)
        pin.write(device, str(replace(before, disksize=0, swap=OFF)))
        try:
            write_file(device, self.name, self.path, value)
        finally:
            pin.restore(device, str(before))


def comp_mode(path: str, value: str) -> ZramModePin:
    """The pin of the file ``path``."""
    return ZramModePin(path, path, value)
