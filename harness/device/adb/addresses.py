"""What a serial of adb tells about the way to its device: USB, an emulator's port, or an address."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

#: Wireless debugging of Android 11 and newer: adb-NAME._adb-tls-connect._tcp.
_WIRELESS: Final = "._adb-tls-connect."
_EMULATOR: Final = re.compile(r"emulator-\d+")


def is_address(serial: str) -> bool:
    """Whether ``adb connect`` reaches it: ``HOST:PORT``, or ``vsock:CID:PORT`` of a virtual machine."""
    return ":" in serial


def is_emulator(serial: str) -> bool:
    """Whether it names an emulator of this machine by its console's port, as the adb server does."""
    return _EMULATOR.fullmatch(serial) is not None


def over_network(serial: str) -> bool:
    """Whether adb reaches the device over a network that its airplane mode or a restart would end.

    Addresses of this machine do not count, nor does a vsock: they are emulators' and Cuttlefish's
    (``0.0.0.0:6520``), or forwarded to a cable elsewhere.
    """
    if _WIRELESS in serial:
        return True
    host = serial.rpartition(":")[0].strip("[]")
    if not host or host == "localhost" or host.startswith("vsock:"):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    return not (address.is_loopback or address.is_unspecified)
