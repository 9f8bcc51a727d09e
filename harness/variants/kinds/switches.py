"""A phone as it is, and settings of its running kernel: sysctls and parameters."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from foundation.errors import UsageError
from harness.device.port_switches import switch_at
from harness.device.preconditions.pins import FilePin, sysctl, sysfs
from harness.device.preconditions.zram_mode import comp_mode
from harness.variants.kind import Bindings
from harness.variants.on_phone import PhoneKind

_SYSCTL_KEY: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", re.IGNORECASE)


@dataclass(frozen=True)
class PhoneAsIs(PhoneKind):
    """No kernel and no settings of its own."""

    word: ClassVar[str] = "as-is"
    usage: ClassVar[str] = "as-is"
    summary: ClassVar[str] = "the phone as it is"


@dataclass(frozen=True)
class _Switches(PhoneKind):
    """Any number of ``KEY=VALUE``, in the order in which they are set."""

    example: ClassVar[str]

    pins: tuple[FilePin, ...] = ()

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        if not options:
            raise cls.needs("KEY=VALUE", example=f"{cls.word}:{cls.example}")
        pins = tuple(cls.pin(key, value) for key, value in options.items())
        for pin in pins:
            if (switch := switch_at(pin.path)) is not None:
                switch.check(pin.wanted)
        return cls(pins)

    @staticmethod
    @abstractmethod
    def pin(key: str, value: str) -> FilePin:
        """The setting ``key``. UsageError for a key of another kind."""

    def switches(self) -> list[FilePin]:
        return list(self.pins)


@dataclass(frozen=True)
class Sysctl(_Switches):
    """Keys as in sysctl(8)."""

    word: ClassVar[str] = "sysctl"
    usage: ClassVar[str] = "sysctl:KEY=VALUE"
    summary: ClassVar[str] = "a sysctl of the phone's running kernel"
    example: ClassVar[str] = "vm.kcompressd=0"

    @staticmethod
    def pin(key: str, value: str) -> FilePin:
        """The sysctl ``key``. UsageError."""
        if not _SYSCTL_KEY.fullmatch(key):
            raise UsageError(f"'{key}' is not a sysctl", next_step="such as vm.kcompressd=0")
        return sysctl(key, value)


@dataclass(frozen=True)
class Param(_Switches):
    """Files below ``/sys`` or ``/proc/sys``."""

    word: ClassVar[str] = "param"
    usage: ClassVar[str] = "param:FILE=VALUE"
    summary: ClassVar[str] = "a module parameter, or another file below `/sys`, of the phone"
    example: ClassVar[str] = "/sys/module/NAME/parameters/KEY=0"

    @staticmethod
    def pin(key: str, value: str) -> FilePin:
        """The file ``key``. UsageError for a path elsewhere."""
        if (switch := switch_at(key)) is not None:
            switch.check(value)
        if not key.startswith(("/sys/", "/proc/sys/")) or "/../" in key or key.endswith("/.."):
            raise UsageError(
                f"'{key}' is not a file below /sys or /proc/sys",
                next_step="write the full path, such as /sys/module/NAME/parameters/KEY=0",
            )
        return comp_mode(key, value) if key.endswith("/comp_mode") else sysfs(key, value)
