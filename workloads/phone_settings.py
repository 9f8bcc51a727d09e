"""The ``[phone]`` table of a profile: the state that a phone is measured in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from foundation.errors import UsageError
from foundation.toml_table import Table

_ANY: Final = "any"


@dataclass(frozen=True)
class PhoneSettings:
    """The ``[phone]`` table of a profile, with defaults for any phone.

    ``cpufreq`` ``fixed`` pins every CPU to its highest frequency of at most ``cpufreq_share`` of the
    maximum; ``governor`` leaves the frequencies to the phone. A repetition starts while no cooling device
    limits a CPU, at a thermal status of at most ``thermal_status_max`` (0 none, 1 light, 2 moderate;
    android.os.Temperature), a case of at most ``skin_c_max`` and a battery of at most ``battery_c_max``
    degrees Celsius; the phone has ``cool_down_s`` to get there. Phones limit CPUs from 36 or 37 °C of the
    case on (Samsung; Pixel 8, thermal_info_config_shiba.json), hence the default. In the middle of a
    campaign a battery that ran low has ``charge_s`` to charge.
    ``brightness`` is 0 to 255. None (``any`` in the file) keeps and records the current setting.
    """

    cpufreq: Literal["fixed", "governor"] = "governor"
    cpufreq_share: float = 0.7
    thermal_status_max: int = 0
    cool_down_s: int = 900
    battery_percent_min: int = 30
    battery_percent_max: int = 100
    battery_c_max: float = 38.0
    skin_c_max: float = 35.0
    charge_s: int = 3600
    charging: Literal["any", "yes", "no"] = "any"
    screen_on: bool = True
    brightness: int | None = 100
    fixed_rotation: bool = True
    animations: bool = False
    airplane: bool = True
    doze: bool = False
    background_dexopt: bool = False
    app_compaction: bool = False
    app_freezer: bool = False
    sync: bool = False


#: Type, check, and rule in words by key. `PhoneSettings` has the defaults.
_KEYS: Final[dict[str, tuple[type[Any], Callable[[Any], bool], str]]] = {
    "cpufreq": (str, lambda v: v in ("fixed", "governor"), "'fixed' or 'governor'"),
    "cpufreq_share": (float, lambda v: 0 < v <= 1, "a share of the highest frequency, above 0 to 1"),
    "thermal_status_max": (int, lambda v: 0 <= v <= 6, "a thermal status from 0 (none) to 6 (shutdown)"),
    "cool_down_s": (int, lambda v: 0 <= v <= 7200, "0 to 7200 seconds"),
    "battery_percent_min": (int, lambda v: 0 <= v <= 100, "0 to 100 %"),
    "battery_percent_max": (int, lambda v: 0 <= v <= 100, "0 to 100 %"),
    "battery_c_max": (float, lambda v: 0 < v <= 60, "above 0 to 60 degrees Celsius"),
    "skin_c_max": (float, lambda v: 0 < v <= 60, "above 0 to 60 degrees Celsius"),
    "charge_s": (int, lambda v: 0 <= v <= 86400, "0 to 86400 seconds"),
    "charging": (str, lambda v: v in (_ANY, "yes", "no"), "'any', 'yes' or 'no'"),
    "brightness": (int, lambda v: 0 <= v <= 255, "0 to 255"),
    **dict.fromkeys(
        (
            *("screen_on", "fixed_rotation", "animations", "airplane", "doze", "background_dexopt"),
            *("app_compaction", "app_freezer", "sync"),
        ),
        (bool, lambda v: True, "true or false"),
    ),
}


def read_phone_settings(path: Path, content: Any) -> PhoneSettings:
    """Parse the table ``content`` of the profile ``path``. UsageError of one line."""
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: [phone] is not a table")
    values: dict[str, Any] = {}
    if content.get("brightness") == _ANY:
        values["brightness"] = None
        content = {key: value for key, value in content.items() if key != "brightness"}
    table = Table(path, "[phone] ", content)
    for key, (kind, check, rule) in _KEYS.items():
        value = table.take_if(key, kind, check, rule)
        if value is not None:
            values[key] = value
    table.done()
    settings = PhoneSettings(**values)
    if settings.battery_percent_min > settings.battery_percent_max:
        raise table.fail(
            f"battery_percent_min {settings.battery_percent_min} is above battery_percent_max"
            f" {settings.battery_percent_max}"
        )
    return settings


assert set(_KEYS) == {field.name for field in fields(PhoneSettings)}
