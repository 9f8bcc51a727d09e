"""The measured work as one order to the device: shell text that runs there without a host.

Nothing passes over adb while it runs: it prints to a file on the device, which is read afterwards. The
text must suit mksh with toybox (Android 10 and newer), and any POSIX shell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.contract.device import Device
from foundation.errors import DeviceError

OUTPUT: Final = "/data/local/tmp/reclaim-suite-order.out"
#: The order's last line: without it the device's shell ended before the order did.
_END: Final = "=== end of the order"


@dataclass(frozen=True)
class Order:
    """``text`` is complete shell commands; it has run after ``deadline_s`` seconds, or it hangs."""

    text: str
    deadline_s: float

    def into_file(self) -> str:
        """The text as one command that prints to `OUTPUT`."""
        return f"{{\n{self.text}\necho '{_END}'\n}} > {OUTPUT} 2>&1"


def pause(seconds: float) -> str:
    """Shell text that waits, with a resolution of a microsecond."""
    return f"sleep {seconds:.6f}".rstrip("0").rstrip(".")


def run(device: Device, order: Order) -> str:
    """Run ``order`` and return what it printed. CommandTimeout if it hangs, DeviceError if it broke off."""
    device.script(order.into_file(), deadline_s=order.deadline_s)
    return printed(device)


def printed(device: Device) -> str:
    """What the order that has just run printed; deletes the file. DeviceError if it broke off."""
    text = device.read_text(OUTPUT, deadline_s=60.0)
    device.shell(["rm", "-f", OUTPUT])
    body, end, rest = text.rpartition(f"{_END}\n")
    if not end or rest.strip():
        raise DeviceError(
            f"the order broke off, its last output is {text[-200:]!r}",
            device=device.serial,
            next_step="look for killed processes in the kernel log",
        )
    return body
