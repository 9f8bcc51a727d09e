"""What is pinned on a device while it is measured, and put back afterwards."""

from __future__ import annotations

from typing import Protocol

from harness.device.preconditions.pinned import PinnedState, left_behind, undo_left
from harness.device.preconditions.pins import (
    ABSENT,
    FilePin,
    Pin,
    mglru,
    page_cluster,
    swappiness,
    sysctl,
    sysfs,
    thp_never,
)
from harness.device.preconditions.zram import EmptySwap, ZramPin, ZramState

__all__ = [
    "ABSENT",
    "EmptySwap",
    "FilePin",
    "Pin",
    "PinnedState",
    "ZramPin",
    "ZramState",
    "left_behind",
    "mglru",
    "page_cluster",
    "pins_for",
    "swappiness",
    "sysctl",
    "sysfs",
    "thp_never",
    "undo_left",
]


#: All of its parts, or none (Documentation/admin-guide/mm/multigen_lru.rst).
_MGLRU = {True: "0x0007", False: "0x0000"}


class DeviceSettings(Protocol):
    """The ``[device]`` table of a workload profile."""

    @property
    def zram_mb(self) -> int: ...

    @property
    def zram_algorithm(self) -> str: ...

    @property
    def swappiness(self) -> int: ...

    @property
    def page_cluster(self) -> int: ...

    @property
    def mglru(self) -> bool | None: ...


def pins_for(settings: DeviceSettings) -> list[Pin]:
    """All that a block pins: the profile's settings, no huge pages; an LRU not asked for is recorded.

    zram comes last, so that swap is empty when the check after it looks.
    """
    return [
        thp_never(),
        mglru(None if settings.mglru is None else _MGLRU[settings.mglru]),
        swappiness(settings.swappiness),
        page_cluster(settings.page_cluster),
        ZramPin(settings.zram_mb, settings.zram_algorithm),
        EmptySwap(),
    ]
