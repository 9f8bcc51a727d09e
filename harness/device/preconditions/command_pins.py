"""Settings of Android that are read and set by commands of the shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import CommandFailed, StateError
from foundation.quoting import quote
from harness.device.preconditions.pins import ABSENT, Pin

#: What ``settings get`` prints of a key that is not set.
_NULL: Final = "null"
_DEADLINE_S: Final = 30.0
_PROPERTY: Final = re.compile(r"^\[(.+?)\]: \[(.*)\]$", re.MULTILINE)
_LMKD: Final = re.compile(
    r"(ro|sys|persist)\.lmk\.|persist\.device_config\.lmkd_native\.|ro\.config\.low_ram$"
)


@dataclass(frozen=True)
class SettingPin:
    """One key of Android's settings (``settings put NAMESPACE KEY VALUE``); no root.

    A key that was not set is deleted at the restore. Settings outlive a restart of the phone,
    and so does the duty to put them back. Source: SettingsProvider, SettingsService.java.
    """

    precondition: str
    namespace: str
    key: str
    wanted: str | None

    @property
    def name(self) -> str:
        return f"settings {self.namespace} {self.key}"

    @property
    def drifts(self) -> bool:
        return True

    @property
    def survives_restart(self) -> bool:
        return True

    @property
    def advice(self) -> str:
        return "see what else sets it: a device policy, an automation app, the vendor's power mode"

    def due(self, before: str) -> bool:
        return self.wanted is not None and not self.verify(self.wanted, before)

    def read(self, device: Device) -> str:
        text = _run(device, self.name, f"settings get {self.namespace} {self.key}")
        return ABSENT if text in ("", _NULL) else text

    def write(self, device: Device, value: str) -> None:
        if value == ABSENT:
            _run(device, self.name, f"settings delete {self.namespace} {self.key}")
        else:
            _run(device, self.name, f"settings put {self.namespace} {self.key} {quote(value)}")

    def verify(self, wanted: str, got: str) -> bool:
        return wanted == got or _number(wanted) == _number(got) is not None


@dataclass(frozen=True)
class CommandPin:
    """A state that one command tells and others set.

    The first group of ``pattern`` in what ``reading`` prints, put through ``values`` (what is not
    there reads as ``otherwise``, or stays as it is), is the value; ``writing`` maps each value to
    the command that sets it. ``wanted`` None records only; then a device that cannot tell it
    reads as why not.
    """

    precondition: str
    name: str
    reading: str
    pattern: str
    writing: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    wanted: str | None = None
    survives_restart: bool = False
    advice: str = "set it by hand, and see what else sets it"

    @property
    def drifts(self) -> bool:
        return self.wanted is not None

    def due(self, before: str) -> bool:
        return self.wanted is not None and before != self.wanted

    def read(self, device: Device) -> str:
        answer = ask_all(device, {"state": self.reading}, deadline_s=_DEADLINE_S)["state"]
        found = re.search(self.pattern, answer.text, re.MULTILINE)
        if found is not None:
            word = " ".join(found[1].split())
            return self.values.get(word, self.otherwise or word)
        said = answer.text[:120] or f"nothing, exit status {answer.exit_status}"
        if self.wanted is None:
            return f"unknown: {said}"
        raise StateError(
            f"{self.name} cannot be told: '{self.reading}' said {said}",
            device=device.serial,
            next_step=self.advice,
        )

    def write(self, device: Device, value: str) -> None:
        command = self.writing.get(value)
        if command is None:
            raise StateError(f"{self.name} cannot be set to '{value}'", device=device.serial)
        _run(device, self.name, command)

    def verify(self, wanted: str, got: str) -> bool:
        return wanted == got


@dataclass(frozen=True)
class Observed:
    """A pin that is only recorded; what cannot be read is recorded as that, with the reason."""

    pin: Pin

    @property
    def name(self) -> str:
        return self.pin.name

    @property
    def wanted(self) -> None:
        return None

    @property
    def drifts(self) -> bool:
        return False

    @property
    def advice(self) -> str:
        return self.pin.advice

    def due(self, before: str) -> bool:
        return False

    def read(self, device: Device) -> str:
        try:
            return self.pin.read(device)
        except (StateError, CommandFailed) as error:
            return f"unknown: {error.what}"

    def write(self, device: Device, value: str) -> None:
        """Nothing is set."""

    def verify(self, wanted: str, got: str) -> bool:
        return True


@dataclass(frozen=True)
class LmkdSettings:
    """What the low memory killer was told, recorded only: its thresholds decide what is killed.

    Properties: the README of system/memory/lmkd; experiments reach it as the namespace
    lmkd_native of device_config, which newer releases mirror into properties.
    """

    name: str = "lmkd"
    wanted: None = None
    drifts: bool = False
    advice: str = ""

    def due(self, before: str) -> bool:
        return False

    def read(self, device: Device) -> str:
        answers = ask_all(device, {"all": "getprop", "experiments": "device_config list lmkd_native"})
        found = [
            f"{name}={value}" for name, value in _PROPERTY.findall(answers["all"].text) if _LMKD.match(name)
        ]
        if answers["experiments"].ok:
            found += answers["experiments"].text.split()
        return " ".join(sorted(found)) or "all as built in"

    def write(self, device: Device, value: str) -> None:
        """Nothing is set."""

    def verify(self, wanted: str, got: str) -> bool:
        return True


def _run(device: Device, name: str, command: str) -> str:
    try:
        return device.script(command, deadline_s=_DEADLINE_S).stdout.strip()
    except CommandFailed as error:
        said = (error.stderr or error.stdout).strip() or f"exit status {error.exit_status}"
        raise StateError(
            f"{name}: '{command}' failed: {said}",
            device=device.serial,
            next_step="check that this Android has the command, and that a shell may use it",
        ) from error


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
