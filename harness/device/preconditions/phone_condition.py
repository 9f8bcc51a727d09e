"""The condition of a phone at one moment: thermal status, battery, background work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from harness.device import phone_state

#: Compilers of apps, by release: dex2oat of installd, and of ART's own daemon.
_COMPILERS: Final = "pidof dex2oat dex2oat32 dex2oat64"


@dataclass(frozen=True)
class Condition:
    """None: not reported. ``thermal_status`` is 0 none, 1 light, 2 moderate, 3 severe, to 6 shutdown.

    ``skin_c`` is the temperature of the case. ``cpu_cooling`` are the states of the CPUs' cooling devices
    by name, above 0 while they limit frequencies.
    """

    thermal_status: int | None
    battery_percent: int | None
    battery_c: float | None
    charging: bool | None
    plugged: bool | None
    compiling: bool
    syncs: bool | None
    skin_c: float | None = None
    cpu_cooling: Mapping[str, int] | None = None

    @property
    def cooled(self) -> list[str]:
        """The cooling devices that limit a CPU, each with its state in parentheses."""
        return [f"{name} (state {state})" for name, state in (self.cpu_cooling or {}).items() if state > 0]

    def to_json(self) -> dict[str, Any]:
        """For ``rep.json``."""
        return asdict(self)


def read_condition(device: Device) -> Condition:
    """Read it in one round trip; needs no root, changes nothing."""
    answers = ask_all(
        device,
        {
            "thermal": phone_state.THERMAL_COMMAND,
            "battery": phone_state.BATTERY_COMMAND,
            "compilers": _COMPILERS,
            "content": "dumpsys content",
        },
        deadline_s=60.0,
    )
    battery = phone_state.parse_battery(answers["battery"].text)
    syncs = re.search(r"^\s*Auto sync: (.*)$", answers["content"].text, re.MULTILINE)
    return Condition(
        thermal_status=phone_state.parse_thermal_status(answers["thermal"].text),
        battery_percent=battery.percent,
        battery_c=battery.celsius,
        charging=battery.charging,
        plugged=None if battery.plugs is None else bool(battery.plugs),
        compiling=answers["compilers"].ok and bool(answers["compilers"].text),
        syncs=None if syncs is None else "=true" in syncs[1],
        skin_c=phone_state.parse_skin(answers["thermal"].text),
        cpu_cooling=phone_state.parse_cpu_cooling(answers["thermal"].text),
    )
