"""Preconditions that are only recorded: suppressed ones, and the settings of the low memory killer."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import CommandFailed, StateError
from harness.device.preconditions.protocol import Precondition, Reading

_PROPERTY: Final = re.compile(r"^\[(.+?)\]: \[(.*)\]$", re.MULTILINE)
_LMKD: Final = re.compile(
    r"(ro|sys|persist)\.lmk\.|persist\.device_config\.lmkd_native\.|ro\.config\.low_ram$"
)

_MMD: Final = re.compile(r"(persist\.device_config\.)?(mmd|mm\.zram)\b|init\.svc\.mmd$")


@dataclass(frozen=True)
class RecordOnly:
    """A `Record` of a pin or check; what cannot be read is recorded with the reason."""

    of: Reading

    steady = False

    @property
    def name(self) -> str:
        """Its own."""
        return self.of.name

    @property
    def precondition(self) -> str | None:
        """Its own."""
        return self.of.precondition

    def read(self, device: Device) -> str:
        """The value, or ``unknown:`` and the reason."""
        try:
            return self.of.read(device)
        except (StateError, CommandFailed) as error:
            return f"unknown: {error.what}"


@dataclass(frozen=True)
class LmkdSettings:
    """A `Record` of the low memory killer's settings, whose thresholds determine what is killed.

    Properties: the README of system/memory/lmkd. Experiments use the namespace lmkd_native of
    device_config, which newer releases mirror into properties.
    """

    name = "lmkd"
    precondition = None
    steady = False

    def read(self, device: Device) -> str:
        """``NAME=VALUE`` for each that is set, sorted."""
        answers = ask_all(device, {"all": "getprop", "experiments": "device_config list lmkd_native"})
        settings = [
            f"{name}={value}" for name, value in _PROPERTY.findall(answers["all"].text) if _LMKD.match(name)
        ]
        if answers["experiments"].ok:
            settings += answers["experiments"].text.split()
        return " ".join(sorted(settings)) or "all as built in"


@dataclass(frozen=True)
class MmdSettings:
    """A `Record` of Android's memory management daemon (Android 16), which may set up and maintain zram.

    Properties: the README of system/memory/mmd. ``mm.zram.maintenance`` schedules its maintenance (write
    back, recompress), which is only guaranteed to work with the zram that it set up itself.
    """

    name = "mmd"
    precondition = None
    steady = False

    def read(self, device: Device) -> str:
        """``NAME=VALUE`` for each property that is set, sorted; ``none`` if there are none."""
        return " ".join(f"{name}={value}" for name, value in sorted(_mmd(device).items())) or "none"


def manages_zram(device: Device) -> bool:
    """Whether mmd has set up this phone's zram, and maintains it."""
    found = _mmd(device)
    return found.get("mmd.zram.enabled") == "true" and found.get("mmd.enabled_aconfig") != "false"


def _mmd(device: Device) -> dict[str, str]:
    text = ask_all(device, {"all": "getprop"})["all"].text
    return {name: value for name, value in _PROPERTY.findall(text) if _MMD.match(name)}


def suppressed(items: Iterable[Precondition], names: Collection[str]) -> list[Precondition]:
    """``items``, with those of the preconditions ``names`` only recorded."""
    return [RecordOnly(item) if item.precondition in names else item for item in items]
