"""The names of all preconditions, as ``--suppress`` and a results folder use them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from foundation.errors import UsageError
from foundation.words import did_you_mean

#: Each is set and read back, or checked; `--suppress` leaves it alone, and every result records that.
PRECONDITIONS: Final = {
    "zram": "zram is one empty swap of the profile's size and algorithm",
    "swappiness": "vm.swappiness is the profile's",
    "page-cluster": "vm.page-cluster is the profile's",
    "mglru": "MGLRU is on or off as the profile sets it",
    "huge-pages": "no transparent huge pages",
    "cpufreq": "CPU frequencies are fixed, or left to the phone's governor",
    "thermal": "the phone is cool before a repetition, and not throttled during it",
    "battery": "the battery's level and temperature are within limits",
    "charging": "the phone charges or not, as the profile sets it",
    "screen": "the screen is on, and stays on",
    "brightness": "the screen's brightness is fixed",
    "rotation": "the screen does not rotate",
    "animations": "animations are off",
    "airplane": "airplane mode is on",
    "doze": "the phone does not enter doze",
    "dexopt": "no app is compiled in the background",
    "compaction": "Android does not page cached apps out by itself",
    "freezer": "Android does not freeze cached apps",
    "sync": "no account is synchronised",
}


def parse_suppressed(words: Iterable[str]) -> tuple[str, ...]:
    """The names in ``--suppress`` (a word may hold several, with commas), sorted, without duplicates.

    UsageError with the nearest name for an unknown one.
    """
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        if name not in PRECONDITIONS:
            raise UsageError(
                f"there is no precondition '{name}'", next_step=did_you_mean(name, PRECONDITIONS)
            )
    return tuple(sorted(set(names)))
