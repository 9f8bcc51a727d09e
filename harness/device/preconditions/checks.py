"""Preconditions that are checked, not set; each reports what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foundation.contract.device import Device
from harness.device.preconditions.phone_condition import Condition
from harness.device.preconditions.zram_state import parse_swaps
from workloads.phone_settings import PhoneSettings


@dataclass(frozen=True)
class EmptySwap:
    """A `Check` that little is swapped out when a block starts; the value is in KiB over all swaps.

    On a phone that is in use, what swapoff brought back goes out again within seconds: it is read
    ``readings`` times, ``every_s`` apart, and the last one decides. What it was stays with the block.
    """

    limit_share: float = 0.05
    readings: int = 1
    every_s: float = 2.0

    name = "swap in use at the start"
    precondition = "zram"
    advice = "close apps, turn off other swaps, or restart the device"

    @property
    def required(self) -> str:
        """The limit in words."""
        return f"at most {self.limit_share:.0%} of the swap"

    def read(self, device: Device) -> str:
        """``USED[, USED ...] of SIZE kB``, sums over the lines of /proc/swaps, in the order read."""
        used, size = [], 0
        for reading in range(self.readings):
            if reading:
                device.sleep(self.every_s)
            swaps = parse_swaps(device.read_text("/proc/swaps"))
            used.append(sum(swap.used_kb for swap in swaps))
            size = sum(swap.size_kb for swap in swaps)
        return f"{', '.join(map(str, used))} of {size} kB"

    def holds(self, value: str) -> bool:
        """Whether the last reading is within the limit."""
        used, _, size = value.removesuffix(" kB").partition(" of ")
        return int(used.split(", ")[-1]) <= self.limit_share * int(size)


@dataclass(frozen=True)
class Unmet:
    """One precondition that is not met; ``passes``: waiting may help."""

    precondition: str
    what: str
    passes: bool = False

    def __str__(self) -> str:
        return f"{self.precondition}: {self.what}"


def all_unmet(now: Condition, wanted: PhoneSettings, *, over_network: bool) -> list[Unmet]:
    """Every precondition that ``now`` does not meet."""
    return [
        *_thermal(now, wanted),
        *_battery(now, wanted),
        *_charging(now, wanted),
        *_background(now, wanted, over_network=over_network),
    ]


def _thermal(now: Condition, wanted: PhoneSettings) -> Iterator[Unmet]:
    status = now.thermal_status
    if status is None:
        yield Unmet("thermal", "dumpsys thermalservice reports no thermal status")
    elif status > wanted.thermal_status_max:
        limit = wanted.thermal_status_max
        yield Unmet("thermal", f"thermal status is {status}, the limit is {limit}", passes=True)
    if now.battery_c is not None and now.battery_c > wanted.battery_c_max:
        yield Unmet(
            "thermal",
            f"the battery is at {now.battery_c:g} °C, the limit is {wanted.battery_c_max:g}",
            passes=True,
        )


def _battery(now: Condition, wanted: PhoneSettings) -> Iterator[Unmet]:
    level = now.battery_percent
    window = f"{wanted.battery_percent_min} to {wanted.battery_percent_max} %"
    if level is None:
        yield Unmet("battery", "dumpsys battery reports no level")
    elif not wanted.battery_percent_min <= level <= wanted.battery_percent_max:
        yield Unmet("battery", f"the battery is at {level} %, but must be at {window}")


def _charging(now: Condition, wanted: PhoneSettings) -> Iterator[Unmet]:
    if wanted.charging == "any":
        return
    if now.charging is None:
        yield Unmet("charging", "dumpsys battery reports no charging status")
    elif now.charging != (wanted.charging == "yes"):
        yield Unmet(
            "charging",
            "it charges but must not: use a port that does not charge"
            if now.charging
            else "it does not charge but must: plug it into a charging port",
        )


def _background(now: Condition, wanted: PhoneSettings, *, over_network: bool) -> Iterator[Unmet]:
    if wanted.airplane and over_network:
        yield Unmet("airplane", "adb runs over the network, which airplane mode would cut: use a cable")
    if not wanted.background_dexopt and now.compiling:
        yield Unmet("dexopt", "an app is being compiled (dex2oat)", passes=True)
    # In airplane mode nothing is synchronised.
    if not wanted.sync and now.syncs and not wanted.airplane:
        yield Unmet("sync", "accounts are synchronised: turn that off in the settings, or use airplane")
