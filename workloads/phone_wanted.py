"""What a phone has to be like while it is measured, and the names under which one may be suppressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from foundation.errors import UsageError
from foundation.words import did_you_mean

#: Each is set and read back, or checked; `--suppress` leaves it as it is, and every result says so.
PRECONDITIONS: Final = {
    "zram": "zram is one empty swap of the profile's size and algorithm",
    "swappiness": "vm.swappiness is the profile's",
    "page-cluster": "vm.page-cluster is the profile's",
    "mglru": "the multi-generational LRU is as the profile asks",
    "huge-pages": "no transparent huge pages",
    "cpufreq": "CPU frequencies are fixed, or the governor is the one that was found",
    "thermal": "the phone is cool before a repetition, and not throttled in it",
    "battery": "the battery's level and temperature are inside a window",
    "charging": "it charges, or it does not",
    "screen": "the screen is on, and stays on",
    "brightness": "the screen's brightness is fixed",
    "rotation": "the screen does not rotate",
    "animations": "animations are off",
    "airplane": "no radio",
    "doze": "the phone does not go idle",
    "dexopt": "no app is compiled in the background",
    "sync": "no account is synchronised",
}


@dataclass(frozen=True)
class PhoneWanted:
    """The ``[phone]`` table of a profile; these are the defaults for any phone.

    ``cpufreq`` ``fixed`` holds every CPU at the highest step of at most ``cpufreq_share`` of its
    maximum, ``governor`` leaves the frequencies to the phone. A repetition begins at a thermal
    status of at most ``thermal_status_max`` (0 none, 1 light, 2 moderate; android.os.Temperature)
    and a battery of at most ``battery_c_max`` degrees; the phone gets ``cool_down_s`` to come
    there. ``brightness`` is 0 to 255. None (or ``any``) leaves and records what is found.
    """

    cpufreq: Literal["fixed", "governor"] = "governor"
    cpufreq_share: float = 0.7
    thermal_status_max: int = 0
    cool_down_s: int = 900
    battery_percent_min: int = 30
    battery_percent_max: int = 100
    battery_c_max: float = 38.0
    charging: Literal["any", "yes", "no"] = "any"
    screen_on: bool = True
    brightness: int | None = 100
    fixed_rotation: bool = True
    animations: bool = False
    airplane: bool = True
    doze: bool = False
    background_dexopt: bool = False
    sync: bool = False


def parse_suppressed(words: Iterable[str]) -> tuple[str, ...]:
    """Names out of ``--suppress`` (several in one word with commas); sorted, each once.

    UsageError with the nearest name for an unknown one.
    """
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in PRECONDITIONS:
            raise UsageError(
                f"there is no precondition '{name}'", next_step=did_you_mean(name, PRECONDITIONS)
            )
    return tuple(sorted(set(names)))
