"""Preconditions that are checked, not set; each says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foundation.contract.device import Device
from harness.device.preconditions.phone_condition import Condition
from harness.device.preconditions.zram import parse_swaps
from workloads.phone_settings import PhoneSettings


@dataclass(frozen=True)
class EmptySwap:
    """A `Check` that next to nothing is swapped out when a block starts.

    The value is KiB in use over all swaps.
    """

    limit_kb: int = 1024

    name = "swap in use at the start"
    precondition = "zram"
    advice = "restart the device, or switch its other swaps off"

    @property
    def required(self) -> str:
        """The limit in words."""
        return f"at most {self.limit_kb} kB"

    def read(self, device: Device) -> str:
        """Sum over the lines of /proc/swaps."""
        swaps = parse_swaps(device.read_text("/proc/swaps"))
        return f"{sum(swap.used_kb for swap in swaps)} kB"

    def holds(self, value: str) -> bool:
        """Whether ``value`` is within the limit."""
        return int(value.split()[0]) <= self.limit_kb


@dataclass(frozen=True)
class Unmet:
    """One precondition that does not hold. ``passes`` is whether waiting may help."""

    precondition: str
    what: str
    passes: bool = False

    def __str__(self) -> str:
        return f"{self.precondition}: {self.what}"


def unmet(found: Condition, wanted: PhoneSettings, *, over_network: bool) -> list[Unmet]:
    """Every precondition that ``found`` breaks."""
    return [
        *_thermal(found, wanted),
        *_battery(found, wanted),
        *_charging(found, wanted),
        *_background(found, wanted, over_network=over_network),
    ]


def _thermal(found: Condition, wanted: PhoneSettings) -> Iterator[Unmet]:
    status = found.thermal_status
    if status is None:
        yield Unmet("thermal", "dumpsys thermalservice tells no thermal status")
    elif status > wanted.thermal_status_max:
        limit = wanted.thermal_status_max
        yield Unmet("thermal", f"thermal status is {status}, the limit is {limit}", passes=True)
    if found.battery_c is not None and found.battery_c > wanted.battery_c_max:
        yield Unmet(
            "thermal",
            f"the battery has {found.battery_c:g} degrees, the limit is {wanted.battery_c_max:g}",
            passes=True,
        )


def _battery(found: Condition, wanted: PhoneSettings) -> Iterator[Unmet]:
    level = found.battery_percent
    window = f"{wanted.battery_percent_min} to {wanted.battery_percent_max} %"
    if level is None:
        yield Unmet("battery", "dumpsys battery tells no level")
    elif not wanted.battery_percent_min <= level <= wanted.battery_percent_max:
        yield Unmet("battery", f"the battery is at {level} %, wanted is {window}")


def _charging(found: Condition, wanted: PhoneSettings) -> Iterator[Unmet]:
    if wanted.charging == "any":
        return
    if found.charging is None:
        yield Unmet("charging", "dumpsys battery tells no charging status")
    elif found.charging != (wanted.charging == "yes"):
        yield Unmet(
            "charging",
            "it charges, and must not: use a port without charging"
            if found.charging
            else "it does not charge, and must: plug it into a charging port",
        )


def _background(found: Condition, wanted: PhoneSettings, *, over_network: bool) -> Iterator[Unmet]:
    if wanted.airplane and over_network:
        yield Unmet("airplane", "adb comes over the network, which airplane mode would cut: use a cable")
    if not wanted.background_dexopt and found.compiling:
        yield Unmet("dexopt", "an app is being compiled (dex2oat)", passes=True)
    # Without a radio nothing is synchronised.
    if not wanted.sync and found.syncs and not wanted.airplane:
        yield Unmet("sync", "accounts are synchronised: switch that off in the settings, or use airplane")
