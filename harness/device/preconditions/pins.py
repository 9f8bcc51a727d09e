"""Kernel settings that are files: a sysctl, or a file of /sys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.contract.refusals import advice_on
from foundation.errors import CommandFailed, SettingRefused, StateError
from foundation.quoting import quote
from harness.device.adb.own_adb import own_adb

#: Value of a setting that this kernel does not have.
ABSENT: Final = "absent"

#: ENOENT, as every cat prints it.
_NO_FILE: Final = "No such file or directory"

_BRACKETED: Final = re.compile(r"\[([^\]]+)\]")


@dataclass(frozen=True)
class FilePin:
    """A `Pin` of a file of /proc/sys or /sys with one value; writing needs root.

    The value of several choices (``always [madvise] never``) is the bracketed one. ``optional``: a
    kernel without the file reads as ``absent_as``, the value it has in effect, or ABSENT.
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
        if not answer.ok:
            raise StateError(
                f"{self.name}: {self.path} cannot be read: {answer.text}",
                device=device.serial,
                next_step="check that this kernel has it, and that the shell is root",
            )
        return selected_choice(answer.text)

    def write(self, device: Device, value: str) -> None:
        """Write the file. StateError with the kernel's reason."""
        write_file(device, self.name, self.path, value)

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both have the same words, which the kernel separates by tabs."""
        return wanted.split() == got.split()


@dataclass(frozen=True)
class FileRecord:
    """A `Record` of a file; reads as ABSENT if the kernel has none, or as the reason why it is unknown."""

    name: str
    path: str
    precondition: str | None = None
    steady: bool = False

    def read(self, device: Device) -> str:
        """The value, ABSENT, or ``unknown:`` and the kernel's reason."""
        answer = ask_all(device, {"value": f"cat {quote(self.path)}"})["value"]
        if answer.ok:
            return selected_choice(answer.text)
        # Without root even an existing file may be hidden: only ENOENT proves that there is none.
        return ABSENT if _NO_FILE in answer.text else f"unknown: {answer.text}"


def selected_choice(text: str) -> str:
    """The bracketed one of several choices, or ``text`` if there are none."""
    match = _BRACKETED.search(text)
    return match[1] if match else text


def write_file(device: Device, name: str, path: str, value: str) -> None:
    """Write ``value``. StateError naming the setting, with the kernel's reason."""
    try:
        device.write_text(path, value)
    except CommandFailed as error:
        as_root = f"a root shell is needed: --su, or {own_adb('root', serial=device.serial)}"
        advice = "check the value" if device.is_root else as_root
        raise StateError(
            f"{name}: '{value}' was refused: {_reason(error)}",
            device=device.serial,
            next_step=advice,
        ) from error


def run_command(device: Device, name: str, command: str, *, deadline_s: float, advice: str) -> str:
    """Output of shell text, stripped; StateError naming the setting, with the command's reason.

    SettingRefused where a vendor's build takes the permission from the shell.
    """
    try:
        return device.script(command, deadline_s=deadline_s).stdout.strip()
    except CommandFailed as error:
        what = f"{name}: '{command}' failed: {_reason(error)}"
        if (taken := advice_on(_reason(error))) is not None:
            what = f"{name}: '{command}' was refused: {_exception(error)}"
            raise SettingRefused(what, device=device.serial, next_step=taken) from error
        raise StateError(what, device=device.serial, next_step=advice) from error


def _exception(error: CommandFailed) -> str:
    """The line that names the permission, without the stack below it."""
    lines = _reason(error).splitlines()
    return next((line.strip() for line in lines if advice_on(line) is not None), lines[0])


def _reason(error: CommandFailed) -> str:
    return (error.stderr or error.stdout).strip() or f"exit status {error.exit_status}"


def sysctl_path(key: str) -> str:
    """The file of a sysctl by its dotted name (``vm.swappiness``)."""
    return f"/proc/sys/{key.replace('.', '/')}"


def sysctl(key: str, value: str | int, precondition: str | None = None) -> FilePin:
    """A sysctl by its dotted name."""
    return FilePin(key, sysctl_path(key), str(value), precondition=precondition)


def sysfs(path: str, value: str | int) -> FilePin:
    """A file by its path."""
    return FilePin(path, path, str(value))
