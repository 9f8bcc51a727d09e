"""What the rest of the suite may ask of a device, whatever the device is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class CommandResult:
    """What a command on the device left behind."""

    exit_status: int
    stdout: str
    stderr: str
    dur_s: float


@dataclass(frozen=True)
class Expectation:
    """What must be seen on a device for a variant to be proved live.

    ``release`` is ``uname -r``, ``version`` ``uname -v``; ``build_ids`` maps a module (or
    ``vmlinux``) to its GNU build id in hex; ``compression_thread`` says whether a thread of
    that role must exist (None: not known beforehand); ``live_counter`` is a file whose
    number only this variant raises; ``parameters`` maps files to their required content.
    """

    release: str | None = None
    build_ids: Mapping[str, str] = field(default_factory=dict)
    compression_thread: bool | None = None
    live_counter: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None


class RemoteProcess(Protocol):
    """A command that runs on the device while the host does other things."""

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        ...

    def output(self) -> str:
        """Its standard output so far."""
        ...

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        """Ask it to end (SIGTERM, then SIGKILL), wait, and return what it printed."""
        ...


class Device(Protocol):
    """A device that answers adb, freshly booted or as it was found.

    ``emulated`` is true for a virtual device: what it measures is called emulated.
    ``is_root`` says whether the shell runs as uid 0. ``keeps_settings``: what is set on it outlives
    this process, so it is journaled first.
    """

    serial: str
    emulated: bool
    keeps_settings: bool

    @property
    def is_root(self) -> bool: ...

    def shell(
        self,
        argv: Sequence[str],
        *,
        deadline_s: float = 30.0,
        check: bool = True,
        stdin: bytes | None = None,
    ) -> CommandResult:
        """Run one command; every word is quoted. CommandFailed if ``check`` and non-zero."""
        ...

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        """Run shell text as it stands, in one round trip; the caller quotes values with `quote`."""
        ...

    def spawn(self, argv: Sequence[str]) -> RemoteProcess: ...

    def push(self, local: Path, remote: str, *, mode: int = 0o644) -> None: ...

    def push_bytes(self, content: bytes, remote: str, *, mode: int = 0o644) -> None: ...

    def pull(self, remote: str, local: Path, *, progress: Callable[[int], None] | None = None) -> None: ...

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str: ...

    def write_text(self, remote: str, text: str, *, deadline_s: float = 10.0) -> None: ...


class Lane(Protocol):
    """A place where one device stands and can be booted into a variant.

    How it boots differs from lane to lane, and is between it and the kinds of variant that are
    for it. One lane runs one block at a time.
    """

    name: str
    emulated: bool

    def crash_log(self) -> str | None:
        """Console text of a panic, oops or lockup since the last boot, or None."""
        ...

    def console(self) -> str:
        """All console text since the last boot (may be empty on a phone)."""
        ...

    def device_cpu_s(self) -> float | None:
        """Host CPU seconds used by the device itself (a virtual one), else None."""
        ...

    def describe(self) -> dict[str, str]:
        """Facts for the report: model, accelerator, CPUs, memory, versions."""
        ...

    def close(self) -> None:
        """Leave nothing behind; may be called twice."""
        ...
