"""How much a device has swapped out since it booted."""

from __future__ import annotations

from foundation.contract.device import Device
from foundation.errors import DeviceError


def pswpout(device: Device) -> int:
    """Pages swapped out, from /proc/vmstat. DeviceError for a kernel without swap."""
    for line in device.read_text("/proc/vmstat").splitlines():
        name, _, value = line.partition(" ")
        if name == "pswpout":
            return int(value)
    raise DeviceError(
        "the kernel has no pswpout counter: it was built without swap",
        device=device.serial,
        next_step="use a kernel with CONFIG_SWAP and CONFIG_VM_EVENT_COUNTERS",
    )
