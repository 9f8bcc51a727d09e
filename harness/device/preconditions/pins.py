"""Single settings of a device that can be set, read back and put back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from foundation.contract.batch import Answer, ask_all
from foundation.contract.device import Device
from foundation.errors import CommandFailed, StateError
from foundation.quoting import quote

#: Value of a setting that this kernel does not have.
ABSENT: Final = "absent"

#: ENOENT, as every cat says it.
_NO_FILE: Final = "No such file or directory"

_CHOSEN: Final = re.compile(r"\[([^\]]+)\]")


class Pin(Protocol):
    """One setting.

    ``wanted`` is the value to hold, or None to record only. Values are text that `read`
    returns and `write` takes, so a value read before can be written back.
    ``drifts`` is False for what may change while a workload runs. ``advice`` is the next
    step for the reader when the value read back is another.
    """

    @property
    def name(self) -> str: ...

    @property
    def wanted(self) -> str | None: ...

    @property
    def drifts(self) -> bool: ...

    @property
    def advice(self) -> str: ...

    def due(self, before: str) -> bool:
        """Whether it must be written to get from ``before`` to ``wanted``."""
        ...

    def read(self, device: Device) -> str:
        """The value now. StateError with the reason."""
        ...

    def write(self, device: Device, value: str) -> None:
        """Set it. StateError with the kernel's reason."""
        ...

    def verify(self, wanted: str, got: str) -> bool:
        """Whether ``got`` is what ``wanted`` asks for."""
        ...


@dataclass(frozen=True)
class FilePin:
    """A file of /proc/sys or /sys with one value.

    Of bracketed choices (``always [madvise] never``) the chosen one is the value.
    ``optional``: a kernel without the file reads as ABSENT; ``absent_as`` is the value
    that such a kernel has in effect. One that is only recorded and may not be read, reads as why.
    Writing needs root.
    """

    name: str
    path: str
    wanted: str | None
    optional: bool = False
    absent_as: str | None = None

    @property
    def drifts(self) -> bool:
        return True

    @property
    def advice(self) -> str:
        return "find what else sets it (an init script, a vendor daemon), or leave it out"

    def due(self, before: str) -> bool:
        return self.wanted is not None and not self.verify(self.wanted, before)

    def read(self, device: Device) -> str:
        answer = ask_all(device, {"value": f"cat {quote(self.path)}"})["value"]
        if self.optional and not answer.ok:
            # A shell without root may not even see a file that is there: only this says that none is.
            if _NO_FILE in answer.text:
                return self.absent_as or ABSENT
            if self.wanted is None:
                return f"unknown: {answer.text}"
        return value_of(answer, self.name, self.path, device)

    def write(self, device: Device, value: str) -> None:
        write_file(device, self.name, self.path, value)

    def verify(self, wanted: str, got: str) -> bool:
        return " ".join(wanted.split()) == " ".join(got.split())


def survives_restart(pin: Pin) -> bool:
    """Whether its value outlives a restart of the device, and must be put back after one as well.

    The kernel's settings do not; Android's own do, and have an attribute of this name.
    """
    return bool(getattr(pin, "survives_restart", False))


def value_of(answer: Answer, name: str, path: str, device: Device) -> str:
    """The value in what ``cat path`` printed. StateError if it failed."""
    if not answer.ok:
        raise StateError(
            f"{name}: {path} cannot be read: {answer.text}",
            device=device.serial,
            next_step="check that this kernel has it, and that the shell is root",
        )
    return chosen(answer.text)


def chosen(text: str) -> str:
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


def sysctl(key: str, value: str | int | None) -> FilePin:
    """A sysctl by its dotted name (``vm.swappiness``); None records only."""
    return FilePin(key, f"/proc/sys/{key.replace('.', '/')}", _text(value))


def sysfs(path: str, value: str | int | None) -> FilePin:
    """A file by its path; None records only."""
    return FilePin(path, path, _text(value))


def swappiness(value: int | None) -> FilePin:
    """vm.swappiness, 0 to 200."""
    return sysctl("vm.swappiness", value)


def page_cluster(value: int | None) -> FilePin:
    """vm.page-cluster: log2 of the pages that a swap-in reads at once."""
    return sysctl("vm.page-cluster", value)


def thp_never() -> FilePin:
    """No transparent huge pages: they would go to zram another way. A kernel without them is 'never'."""
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    return FilePin("transparent_hugepage", path, "never", optional=True, absent_as="never")


def mglru(value: str | None) -> FilePin:
    """Multi-generational LRU (``0x0007``, ``0x0000``); None records which LRU was measured.

    A kernel without it is an error only where a value is asked for.
    """
    return FilePin("lru_gen", "/sys/kernel/mm/lru_gen/enabled", value, optional=value is None)


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
