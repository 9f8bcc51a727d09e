"""Settings of the kernel that are files: a sysctl, or a file of /sys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import Answer, ask_all
from foundation.contract.device import Device
from foundation.errors import CommandFailed, StateError
from foundation.quoting import quote

#: Value of a setting that this kernel does not have.
ABSENT: Final = "absent"

#: ENOENT, as every cat says it.
_NO_FILE: Final = "No such file or directory"

_CHOSEN: Final = re.compile(r"\[([^\]]+)\]")


@dataclass(frozen=True)
class FilePin:
    """A `Pin` of a file of /proc/sys or /sys with one value; writing needs root.

    Of bracketed choices (``always [madvise] never``) the chosen one is the value.
    ``optional``: a kernel without the file reads as ABSENT; ``absent_as`` is the value
    that such a kernel has in effect.
    """

    name: str
    path: str
    wanted: str
    optional: bool = False
    absent_as: str | None = None
    precondition: str | None = None

    survives_restart = False
    advice = "find what else sets it (an init script, a vendor daemon), or leave it out"

    def due(self, before: str) -> bool:
        """Whether ``before`` is another value."""
        return not self.verify(self.wanted, before)

    def read(self, device: Device) -> str:
        """The value, or ABSENT. StateError if it cannot be read."""
        answer = ask_all(device, {"value": f"cat {quote(self.path)}"})["value"]
        if self.optional and not answer.ok and _NO_FILE in answer.text:
            return self.absent_as or ABSENT
        return value_of(answer, self.name, self.path, device)

    def write(self, device: Device, value: str) -> None:
        """Write the file. StateError with the kernel's reason."""
        write_file(device, self.name, self.path, value)

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are the same words; the kernel separates them by tabs."""
        return wanted.split() == got.split()


@dataclass(frozen=True)
class FileRecord:
    """A `Record` of a file; a kernel without it reads as ABSENT, and one that keeps it closed as why."""

    name: str
    path: str
    precondition: str | None = None
    steady: bool = False

    def read(self, device: Device) -> str:
        """The value, ABSENT, or ``unknown:`` and the kernel's reason."""
        answer = ask_all(device, {"value": f"cat {quote(self.path)}"})["value"]
        if answer.ok:
            return selected_choice(answer.text)
        # A shell without root may not even see a file that is there: only this says that none is.
        return ABSENT if _NO_FILE in answer.text else f"unknown: {answer.text}"


def value_of(answer: Answer, name: str, path: str, device: Device) -> str:
    """The value in what ``cat path`` printed. StateError if it failed."""
    if not answer.ok:
        raise StateError(
            f"{name}: {path} cannot be read: {answer.text}",
            device=device.serial,
            next_step="check that this kernel has it, and that the shell is root",
        )
    return selected_choice(answer.text)


def selected_choice(text: str) -> str:
    """The bracketed one of several choices, or ``text`` where there are none."""
    found = _CHOSEN.search(text)
    return found[1] if found else text


def write_file(device: Device, name: str, path: str, value: str) -> None:
    """Write ``value``; StateError naming the setting, with the kernel's reason."""
    try:
        device.write_text(path, value)
    except CommandFailed as error:
        reason = (error.stderr or error.stdout).strip() or f"exit status {error.exit_status}"
        raise StateError(
            f"{name}: '{value}' was refused: {reason}",
            device=device.serial,
            next_step="check the value" if device.is_root else "a root shell is needed: adb root, or su",
        ) from error


def sysctl_path(key: str) -> str:
    """The file of a sysctl by its dotted name (``vm.swappiness``)."""
    return f"/proc/sys/{key.replace('.', '/')}"


def sysctl(key: str, value: str | int, precondition: str | None = None) -> FilePin:
    """A sysctl by its dotted name."""
    return FilePin(key, sysctl_path(key), str(value), precondition=precondition)


def sysfs(path: str, value: str | int) -> FilePin:
    """A file by its path."""
    return FilePin(path, path, str(value))
