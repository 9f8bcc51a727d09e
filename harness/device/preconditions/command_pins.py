"""Settings of Android that shell commands read and set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import StateError
from foundation.quoting import quote
from harness.device.preconditions.pins import ABSENT, run_command

#: What ``settings get`` prints for a key that is not set.
_NULL: Final = "null"
_DEADLINE_S: Final = 30.0


@dataclass(frozen=True)
class SettingPin:
    """A `Pin` of one key of Android's settings (``settings put NAMESPACE KEY VALUE``); no root.

    The restore deletes a key that was not set. Settings survive a restart of the phone and must
    still be restored after it. Source: SettingsProvider, SettingsService.java. ``command`` device_config: a
    flag of the same form, which a server may set as well (DeviceConfigService.java).
    """

    precondition: str
    namespace: str
    key: str
    wanted: str
    command: str = "settings"

    survives_restart = True
    advice = "see what else sets it: a device policy, an automation app, the vendor's power mode"

    @property
    def name(self) -> str:
        """``settings NAMESPACE KEY``."""
        return f"{self.command} {self.namespace} {self.key}"

    def due(self, before: str) -> bool:
        """Whether ``before`` is another value."""
        return not self.verify(self.wanted, before)

    def read(self, device: Device) -> str:
        """The value, or ABSENT. StateError if the command fails."""
        text = _run(device, self.name, f"{self.command} get {self.namespace} {self.key}")
        return ABSENT if text in ("", _NULL) else text

    def write(self, device: Device, value: str) -> None:
        """Put the value, or delete the key. StateError if the command fails."""
        if value == ABSENT:
            _run(device, self.name, f"{self.command} delete {self.namespace} {self.key}")
        else:
            _run(device, self.name, f"{self.command} put {self.namespace} {self.key} {quote(value)}")

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are the same text or the same number."""
        return wanted == got or _number(wanted) == _number(got) is not None


@dataclass(frozen=True)
class CommandPin:
    """A `Pin` of a state that one command reports and others set.

    The value is the first group of ``pattern`` in the output of ``reading``, mapped by ``values``
    (without an entry: ``otherwise``, or unchanged). ``writing`` maps each value to the command
    that sets it. ``essential``: without it nothing can be measured, even where Android refuses it.
    """

    precondition: str
    name: str
    reading: str
    pattern: str
    writing: Mapping[str, str]
    wanted: str
    values: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    survives_restart: bool = False
    advice: str = "set it by hand, and see what else sets it"
    essential: bool = False

    def due(self, before: str) -> bool:
        """Whether ``before`` is another value."""
        return before != self.wanted

    def read(self, device: Device) -> str:
        """The value. StateError if the command does not report it."""
        answer = ask_all(device, {"state": self.reading}, deadline_s=_DEADLINE_S)["state"]
        match = re.search(self.pattern, answer.text, re.MULTILINE)
        if match is None:
            printed = answer.text[:120] or f"nothing, exit status {answer.exit_status}"
            raise StateError(
                f"{self.name} cannot be read: '{self.reading}' printed {printed}",
                device=device.serial,
                next_step=self.advice,
            )
        word = " ".join(match[1].split())
        return self.values.get(word, self.otherwise or word)

    def write(self, device: Device, value: str) -> None:
        """Run the command for ``value``. StateError if there is none, or if it fails."""
        command = self.writing.get(value)
        if command is None:
            raise StateError(f"{self.name} cannot be set to '{value}'", device=device.serial)
        _run(device, self.name, command)

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are the same word."""
        return wanted == got


def _run(device: Device, name: str, command: str) -> str:
    advice = "check that this Android has the command, and that a shell may use it"
    return run_command(device, name, command, deadline_s=_DEADLINE_S, advice=advice)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
