"""The protocols of a device and of its lane: what the rest of the suite may ask of any device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class CommandResult:
    """What a command on the device returned."""

    exit_status: int
    stdout: str
    stderr: str
    dur_s: float


@dataclass(frozen=True)
class Expectation:
    """What a device must show to prove that it runs a variant.

    ``release`` is ``uname -r``, ``version`` ``uname -v``; ``build_ids`` maps a module (or
    ``vmlinux``) to its GNU build id in hex; ``compression_thread``: whether a thread of that
    role must exist (None: unknown beforehand); ``thread`` is the name of one that must run once pages were
    compressed, since some ports start it with the first; ``live_counter`` is a file whose number only
    this variant raises; ``parameters`` maps files to their required content; ``page_size_bytes`` is the
    kernel's page size.
    """

    release: str | None = None
    build_ids: Mapping[str, str] = field(default_factory=dict)
    compression_thread: bool | None = None
    live_counter: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    page_size_bytes: int | None = None
    thread: str | None = None


class RemoteProcess(Protocol):
    """A command that runs in the background on the device."""

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        ...

    def output(self) -> str:
        """Its standard output so far."""
        ...

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        """End it (SIGTERM, then SIGKILL), wait, and return what it printed."""
        ...


class Device(Protocol):
    """A device that answers adb, freshly booted or in the state in which the suite found it.

    ``emulated``: a virtual device; all its results are marked as emulated. ``keeps_settings``:
    settings outlive this process, so each is journaled before it is written. Every call raises
    DeviceLost if the connection breaks, and CommandTimeout when its deadline passes.
    """

    serial: str
    emulated: bool
    keeps_settings: bool

    @property
    def is_root(self) -> bool:
        """Whether the shell runs as uid 0."""
        ...

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
        """Run shell text unchanged in one round trip; the caller quotes values with `quote`."""
        ...

    def sleep(self, dur_s: float) -> None:
        """Let time pass on the device."""
        ...

    def spawn(self, argv: Sequence[str]) -> RemoteProcess:
        """Start one command in the background; every word is quoted."""
        ...

    def push(self, local: Path, remote: str, *, mode: int = 0o644) -> None:
        """Copy a file to the device, as the shell user."""
        ...

    def push_bytes(self, content: bytes, remote: str, *, mode: int = 0o644) -> None:
        """Write ``content`` to a file on the device, as the shell user."""
        ...

    def pull(self, remote: str, local: Path, *, progress: Callable[[int], None] | None = None) -> None:
        """Copy a file from the device, as the shell user; ``progress`` gets the bytes so far."""
        ...

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        """The content of a file, read by the shell. CommandFailed if it cannot be read."""
        ...

    def write_text(self, remote: str, text: str, *, deadline_s: float = 10.0) -> None:
        """Write to an existing file such as one of sysfs, by the shell. CommandFailed if it cannot."""
        ...


class Lane(Protocol):
    """The place of one device, which boots it into a variant; it runs one block at a time.

    How it boots is a matter between the lane and the kinds of variant made for it. ``host_time``:
    time passes on the device as on a clock (a phone, or an emulator in host time), not by the
    instructions that it executes.
    """

    name: str
    emulated: bool
    host_time: bool

    def crash_log(self) -> str | None:
        """Console text of a panic, oops, lockup or hung task since the last boot, or None."""
        ...

    def console(self) -> str:
        """All console text since the last boot (may be empty on a phone)."""
        ...

    def device_cpu_s(self) -> float | None:
        """Host CPU seconds used by a virtual device; None for any other."""
        ...

    def parts(self) -> dict[str, str]:
        """Digests and packages of what the last boot was made of; empty if the suite did not make it.

        A campaign compares blocks of a variant only if these are the same.
        """
        ...

    def describe(self) -> dict[str, str]:
        """Facts for the report: model, accelerator, CPUs, memory, versions."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...
