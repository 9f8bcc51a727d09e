"""What a phone is like at one moment: thermal status, battery, screen, what goes on in the background.

Shapes: ThermalManagerService.java (``Thermal Status: N``, android.os.Temperature's numbers) and
BatteryService.java (level, temperature in tenths of a degree, status of BatteryManager), both
of frameworks/base.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device

#: android.os.BatteryManager: charging, full.
_CHARGING: Final = (2, 5)
#: What compiles apps, by release: dex2oat of installd, and of ART's own daemon.
_COMPILERS: Final = "pidof dex2oat dex2oat32 dex2oat64"


@dataclass(frozen=True)
class Condition:
    """None: the phone does not tell. ``thermal_status`` 0 is none, 1 light, 2 moderate, 3 severe and on."""

    thermal_status: int | None
    battery_percent: int | None
    battery_c: float | None
    charging: bool | None
    plugged: bool | None
    compiling: bool
    syncs: bool | None

    def to_json(self) -> dict[str, int | float | bool | None]:
        """For ``rep.json``."""
        return asdict(self)


def read_condition(device: Device) -> Condition:
    """Ask in one round trip; needs no root, changes nothing."""
    answers = ask_all(
        device,
        {
            "thermal": "dumpsys thermalservice",
            "battery": "dumpsys battery",
            "compilers": _COMPILERS,
            "content": "dumpsys content",
        },
        deadline_s=60.0,
    )
    battery = answers["battery"].text
    status = _number(r"^\s*status: (\d+)", battery)
    tenths = _number(r"^\s*temperature: (-?\d+)", battery)
    powered = re.findall(r"^\s*\w+ powered: (true|false)", battery, re.MULTILINE)
    syncs = re.search(r"^\s*Auto sync: (.*)$", answers["content"].text, re.MULTILINE)
    return Condition(
        thermal_status=_number(r"^\s*Thermal Status: (\d+)", answers["thermal"].text),
        battery_percent=_number(r"^\s*level: (\d+)", battery),
        battery_c=None if tenths is None else tenths / 10,
        charging=None if status is None else status in _CHARGING,
        plugged="true" in powered if powered else None,
        compiling=answers["compilers"].ok and bool(answers["compilers"].text),
        syncs=None if syncs is None else "=true" in syncs[1],
    )


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text, re.MULTILINE)
    return None if found is None else int(found[1])
