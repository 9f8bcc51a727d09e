"""Battery, thermal status and boot id of a device: the commands that print them, and their parsers.

Formats: ThermalManagerService.java (``Thermal Status: N``, texts of android.os.Temperature and
android.os.CoolingDevice, whose types are those of hardware/interfaces/thermal) and BatteryService.java
(level, temperature in tenths of a degree, status of BatteryManager), all of frameworks/base.
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
_TEMPERATURE: Final = re.compile(r"Temperature\{mValue=([-\d.]+), mType=(-?\d+), mName=([^,]+),")
_COOLING: Final = re.compile(r"CoolingDevice\{mValue=(-?\d+), mType=(-?\d+), mName=([^,}]+)")
#: TemperatureType.SKIN, CoolingType.CPU.
_SKIN: Final = "3"
_CPU: Final = "2"


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
    """Name and degrees Celsius of the hottest sensor in what `THERMAL_COMMAND` printed."""
    sensors = [(celsius, name) for celsius, _, name in _temperatures(text)]
    return (max(sensors)[1], max(sensors)[0]) if sensors else None


def parse_skin(text: str) -> float | None:
    """Degrees Celsius of the phone's case, the hottest sensor of its kind; None: not reported."""
    return max((celsius for celsius, kind, _ in _temperatures(text) if kind == _SKIN), default=None)


def parse_cpu_cooling(text: str) -> dict[str, int] | None:
    """States of the CPUs' cooling devices by name: above 0 while they limit frequencies.

    They do so at thermal status 0 as well. None: the phone lists none.
    """
    states = {name: int(state) for state, kind, name in _COOLING.findall(text) if kind == _CPU}
    return states or None


def _temperatures(text: str) -> list[tuple[float, str, str]]:
    """Degrees, type and name of the current temperatures; the cached ones, printed first, may be old."""
    current = text.rpartition("Current temperatures from HAL:")[2]
    return [(float(celsius), kind, name) for celsius, kind, name in _TEMPERATURE.findall(current)]


def _number(key: str, text: str) -> int | None:
    match = re.search(rf"^\s*{key}: (-?\d+)", text, re.MULTILINE)
    return None if match is None else int(match[1])
