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
from harness.device.preconditions.pins import ABSENT

#: What ``settings get`` prints of a key that is not set.
_NULL: Final = "null"
_DEADLINE_S: Final = 30.0


@dataclass(frozen=True)
class SettingPin:
    """A `Pin` of one key of Android's settings (``settings put NAMESPACE KEY VALUE``); no root.

    A key that was not set is deleted at the restore. Settings outlive a restart of the phone,
    and so does the duty to put them back. Source: SettingsProvider, SettingsService.java.
    """

    precondition: str
    namespace: str
    key: str
    wanted: str

    survives_restart = True
    advice = "see what else sets it: a device policy, an automation app, the vendor's power mode"

    @property
    def name(self) -> str:
        """``settings NAMESPACE KEY``."""
        return f"settings {self.namespace} {self.key}"

    def due(self, before: str) -> bool:
        """Whether ``before`` is another value."""
        return not self.verify(self.wanted, before)

    def read(self, device: Device) -> str:
        """The value, or ABSENT. StateError if the command fails."""
        text = _run(device, self.name, f"settings get {self.namespace} {self.key}")
        return ABSENT if text in ("", _NULL) else text

    def write(self, device: Device, value: str) -> None:
        """Put the value, or delete the key. StateError if the command fails."""
        if value == ABSENT:
            _run(device, self.name, f"settings delete {self.namespace} {self.key}")
        else:
            _run(device, self.name, self._put(value))

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are the same text or the same number."""
        return wanted == got or _number(wanted) == _number(got) is not None

    def _put(self, value: str) -> str:
        return f"settings put {self.namespace} {self.key} {quote(value)}"


@dataclass(frozen=True)
class CommandPin:
    """A `Pin` of a state that one command tells and others set.

    The first group of ``pattern`` in what ``reading`` prints, put through ``values`` (what is not
    there reads as ``otherwise``, or stays as it is), is the value; ``writing`` maps each value to
    the command that sets it.
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

    def due(self, before: str) -> bool:
        """Whether ``before`` is another value."""
        return before != self.wanted

    def read(self, device: Device) -> str:
        """The value. StateError if the command does not tell it."""
        answer = ask_all(device, {"state": self.reading}, deadline_s=_DEADLINE_S)["state"]
        found = re.search(self.pattern, answer.text, re.MULTILINE)
        if found is None:
            said = answer.text[:120] or f"nothing, exit status {answer.exit_status}"
            raise StateError(
                f"{self.name} cannot be told: '{self.reading}' said {said}",
                device=device.serial,
                next_step=self.advice,
            )
        word = " ".join(found[1].split())
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
