"""The ``[phone]`` table of a profile: what a phone has to be like while it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from foundation.errors import UsageError
from foundation.toml_table import Table
from workloads.phone_wanted import PhoneWanted

_ANY: Final = "any"

#: Key -> type, check, and the rule in words. A key that is not there has `PhoneWanted`'s default.
_KEYS: Final[dict[str, tuple[type[Any], Callable[[Any], bool], str]]] = {
    "cpufreq": (str, lambda v: v in ("fixed", "governor"), "'fixed' or 'governor'"),
    "cpufreq_share": (float, lambda v: 0 < v <= 1, "a share of the highest frequency, above 0 to 1"),
    "thermal_status_max": (int, lambda v: 0 <= v <= 6, "a thermal status from 0 (none) to 6 (shutdown)"),
    "cool_down_s": (int, lambda v: 0 <= v <= 7200, "0 to 7200 seconds"),
    "battery_percent_min": (int, lambda v: 0 <= v <= 100, "0 to 100 %"),
    "battery_percent_max": (int, lambda v: 0 <= v <= 100, "0 to 100 %"),
    "battery_c_max": (float, lambda v: 0 < v <= 60, "above 0 to 60 degrees Celsius"),
    "charging": (str, lambda v: v in (_ANY, "yes", "no"), "'any', 'yes' or 'no'"),
    "brightness": (int, lambda v: 0 <= v <= 255, "0 to 255"),
    **{
        key: (bool, lambda v: True, "true or false")
        for key in (
            "screen_on",
            "fixed_rotation",
            "animations",
            "airplane",
            "doze",
            "background_dexopt",
            "sync",
        )
    },
}


def phone_wanted(path: Path, content: Any) -> PhoneWanted:
    """Read the table; ``content`` is what the file holds under ``phone``. UsageError of one line.

    ``brightness = "any"`` leaves the brightness as it is.
    """
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: [phone] is not a table")
    given = dict(content)
    as_found = given.get("brightness") == _ANY
    if as_found:
        del given["brightness"]
    table = Table(path, "[phone] ", given)
    found: dict[str, Any] = {"brightness": None} if as_found else {}
    for key, (kind, check, rule) in _KEYS.items():
        value = table.take_if(key, kind, check, rule)
        if value is not None:
            found[key] = value
    table.done()
    wanted = PhoneWanted(**found)
    if wanted.battery_percent_min > wanted.battery_percent_max:
        raise table.fail(
            f"battery_percent_min {wanted.battery_percent_min} is above battery_percent_max"
            f" {wanted.battery_percent_max}"
        )
    return wanted


assert set(_KEYS) == {field.name for field in fields(PhoneWanted)}
