"""Battery, thermal status and boot id of a device: the commands that print them, and their parsers.

Formats: ThermalManagerService.java (``Thermal Status: N``, android.os.Temperature's numbers) and
BatteryService.java (level, temperature in tenths of a degree, status of BatteryManager), both
of frameworks/base.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.contract.device import Device

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
THERMAL_COMMAND: Final = "dumpsys thermalservice 2>/dev/null"
BATTERY_COMMAND: Final = "dumpsys battery 2>/dev/null"

#: android.os.BatteryManager: charging, full.
_CHARGING: Final = (2, 5)
_TEMPERATURE: Final = re.compile(r"Temperature\{mValue=([-\d.]+), mType=-?\d+, mName=([^,]+),")


@dataclass(frozen=True)
class Battery:
    """None: not reported. ``plugs`` are the power sources in use: AC, USB, Wireless, Dock."""

    percent: int | None
    celsius: float | None
    charging: bool | None
    plugs: tuple[str, ...] | None


def boot_id(device: Device) -> str:
    """Read the kernel's random id of this boot. DeviceError if it cannot be read."""
    return device.read_text(BOOT_ID).strip()


def parse_battery(text: str) -> Battery:
    """Parse what `BATTERY_COMMAND` printed."""
    tenths, status = _number("temperature", text), _number("status", text)
    powered = re.findall(r"^\s*(\w+) powered: (true|false)", text, re.MULTILINE)
    return Battery(
        percent=_number("level", text),
        celsius=None if tenths is None else tenths / 10,
        charging=None if status is None else status in _CHARGING,
        plugs=tuple(name for name, on in powered if on == "true") if powered else None,
    )


def parse_thermal_status(text: str) -> int | None:
    """Parse what `THERMAL_COMMAND` printed: 0 none, 1 light, to 6 shutdown; None: not reported."""
    return _number("Thermal Status", text)


def parse_hottest(text: str) -> tuple[str, float] | None:
    """Name and degrees Celsius of the hottest sensor in what `THERMAL_COMMAND` printed.

    Only the current temperatures count; the cached ones, printed first, may be old.
    """
    current = text.rpartition("Current temperatures from HAL:")[2]
    sensors = [(float(value), name) for value, name in _TEMPERATURE.findall(current)]
    return (max(sensors)[1], max(sensors)[0]) if sensors else None


def _number(key: str, text: str) -> int | None:
    match = re.search(rf"^\s*{key}: (-?\d+)", text, re.MULTILINE)
    return None if match is None else int(match[1])
