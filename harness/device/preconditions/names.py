"""The names of all preconditions, for ``--suppress`` and for what a results folder says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
