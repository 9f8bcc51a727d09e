"""``lab.toml``: the devices of a lab, the role of each, and what may be done to it.

Anything destructive needs two keys that different people hold: the option on the command line,
and an entry in this file that matches the device's serial, model and build.
"""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import LabError, UsageError
from foundation.toml_table import Table
from harness.device.adb.own_adb import own_adb

FILE_NAME: Final = "lab.toml"


class Act(enum.Enum):
    """What may be done to a device; the values are the words of ``allow`` in the file."""

    FLASH = "flash"
    FASTBOOT_BOOT = "fastboot-boot"
    REBOOT = "reboot"
    REBOOT_BOOTLOADER = "reboot-bootloader"
    LOAD_MODULE = "load-module"
    WIPE = "wipe"

    @property
    def destructive(self) -> bool:
        """Whether it leaves Android, writes to a partition or runs other code in the kernel of a phone with
        its data mounted; a plain reboot does none of these."""
        return self is not Act.REBOOT


@dataclass(frozen=True)
class LabDevice:
    """One ``[[device]]``: serial of adb, ``ro.product.model``, ``ro.build.fingerprint``.

    A ``build`` that ends in ``*`` matches every build with that prefix.
    """

    serial: str
    model: str
    build: str
    role: str | None
    allow: frozenset[Act]

    def differences(self, *, model: str, build: str) -> list[str]:
        """Why a device with this serial is not the listed one; empty if it is."""
        differences = []
        if model != self.model:
            differences.append(f"model is {model or 'unknown'}, but {self.model} is listed")
        prefix = self.build.removesuffix("*")
        fits = build.startswith(prefix) if prefix != self.build else build == self.build
        if not build or not fits:
            differences.append(f"build is {build or 'unknown'}, but {self.build} is listed")
        return differences


@dataclass(frozen=True)
class Lab:
    """Content of the file; ``path`` is None without a file, which allows nothing destructive."""

    path: Path | None = None
    devices: tuple[LabDevice, ...] = ()

    def device(self, serial: str) -> LabDevice | None:
        """The entry with that serial, if any."""
        return next((listed for listed in self.devices if listed.serial == serial), None)


NO_LAB: Final = Lab()


def find_lab(given: Path | None, folder: Path | None = None) -> Lab:
    """The lab of ``--lab FILE``, else of ``lab.toml`` in ``folder`` (default: here), else `NO_LAB`.

    UsageError for a file that cannot be read or has a mistake.
    """
    if given is not None:
        return load_lab(given)
    path = (folder or Path()) / FILE_NAME
    return load_lab(path) if path.exists() else NO_LAB


def load_lab(path: Path) -> Lab:
    """Read ``path``. UsageError for anything wrong with it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no lab file {path}", next_step="copy the example in docs/phones.md") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"lab file {path} cannot be read: {error}") from error
    top = Table(path, "", content)
    listed = top.take(
        "device",
        list,
        lambda v: bool(v) and all(isinstance(entry, dict) for entry in v),
        "a list of tables [[device]]",
    )
    top.done()
    devices = [
        _device(Table(path, f"[[device]] {number}: ", entry)) for number, entry in enumerate(listed, 1)
    ]
    serials = [device.serial for device in devices]
    for serial in serials:
        if serials.count(serial) > 1:
            raise UsageError(
                f"{path}: two devices have the serial {serial}", next_step="remove one of them"
            )
    return Lab(path, tuple(devices))


def _device(table: Table) -> LabDevice:
    serial = table.take("serial", str, _is_word, "the serial that 'adb devices' prints")
    model = table.take("model", str, _is_text, "what 'getprop ro.product.model' prints")
    build = table.take(
        "build", str, _is_build, "what 'getprop ro.build.fingerprint' prints, or its start and a *"
    )
    role = table.take_if("role", str, _is_word, "one word")
    words = {act.value: act for act in Act}
    allow = table.take_or(
        "allow",
        list,
        [],
        lambda v: all(isinstance(word, str) and word in words for word in v),
        f"a list of {', '.join(words)}",
    )
    table.done()
    return LabDevice(serial, model, build, role, frozenset(words[word] for word in allow))


def _is_text(value: str) -> bool:
    return bool(value) and value == value.strip()


def _is_word(value: str) -> bool:
    return bool(value) and not any(char.isspace() for char in value)


def _is_build(value: str) -> bool:
    # A star alone, or after a brand alone, would match nearly every phone.
    if "*" in value:
        return value.index("*") == len(value) - 1 and value.count("/") >= 2 and _is_word(value)
    return _is_word(value)


def permit(act: Act, *, serial: str, model: str, build: str, opted_in: bool, lab: Lab) -> None:
    """Return if ``act`` may be done to this device, else raise with the reason.

    ``model`` and ``build`` come from the device itself while it ran Android; unknown ones match
    nothing. ``opted_in`` is the option on the command line: ``--allow-flash``, for a plain reboot
    ``--reboot-between``, for modules the variant ``module:`` itself.

    Every act needs ``opted_in`` (UsageError). A destructive one also needs an entry in ``lab`` with
    this serial, model and build that allows it (LabError). A reboot is allowed for a device without
    an entry, and for one whose entry allows it.
    """
    if not opted_in:
        option = "--allow-flash" if act.destructive else "--reboot-between"
        raise UsageError(f"[{serial}] {act.value} needs {option}", next_step="give it if that is intended")
    entry = lab.device(serial)
    if entry is None:
        if not act.destructive:
            return
        where = f"{lab.path} does not list this device" if lab.path else f"there is no {FILE_NAME}"
        raise LabError(
            f"{act.value} is not allowed: {where}",
            device=serial,
            next_step=f"list its serial, model and build, with allow = ['{act.value}'], in {FILE_NAME}",
        )
    if act.destructive and (differences := entry.differences(model=model, build=build)):
        raise LabError(
            f"{act.value} is not allowed: this is not the device in {lab.path}: {'; '.join(differences)}",
            device=serial,
            next_step="check which device is attached; if it is the right one, correct its entry",
        )
    if act not in entry.allow:
        allowed = ", ".join(sorted(allowed.value for allowed in entry.allow)) or "nothing"
        raise LabError(
            f"{act.value} is not allowed: {lab.path} allows {allowed} for this device",
            device=serial,
            next_step=f"add '{act.value}' to its allow list if that is intended",
        )


def serial_of_role(lab: Lab, role: str, attached: Collection[str]) -> str:
    """The serial of the one attached device with this role. LabError and UsageError name the choices."""
    if lab.path is None:
        raise UsageError(
            f"--role {role} needs a lab file", next_step=f"write a {FILE_NAME}, or give --serial"
        )
    having = [device.serial for device in lab.devices if device.role == role]
    if not having:
        roles = sorted({device.role for device in lab.devices if device.role})
        raise UsageError(
            f"{lab.path} has no device with the role {role}",
            next_step=f"roles are: {', '.join(roles) or 'none'}",
        )
    present = [serial for serial in having if serial in attached]
    if len(present) == 1:
        return present[0]
    if not present:
        raise LabError(
            f"no device with the role {role} is attached ({', '.join(having)})",
            next_step=f"plug it in, and see: {own_adb('devices')}",
        )
    raise LabError(
        f"{len(present)} devices with the role {role} are attached: {', '.join(present)}",
        next_step=f"choose one, such as --serial {present[0]}",
    )
