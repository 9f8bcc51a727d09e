"""A virtual device in lock-step: the suite's Device over the channel to the guest's link."""

from __future__ import annotations

import enum
import errno
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Literal

from foundation.contract.device import CommandResult
from foundation.errors import CommandFailed, CommandTimeout, DeviceError, DeviceLost, HostError, UsageError
from foundation.files import replacing
from foundation.quoting import quote, quote_argv
from harness.device.adb.shell_v2 import kill_text
from harness.device.command_log import log_command, shorten
from harness.virtual.link.channel import ROOM, Channel, Message

#: CPU seconds of the emulator for an order: its deadline in the guest's time, this many times, and some
#: to spare. Code that runs for the first time is 15 times slower than the guest's clock.
_SLOWNESS: Final = 20.0
_SPARE_S: Final = 30.0
_PART_BYTES: Final = 4 << 20
_ENDED, _KILLED_LATE = 1, 2
_SIGNALS: Final[tuple[Literal["TERM", "KILL"], ...]] = ("TERM", "KILL")


class _Order(enum.IntEnum):
    """Kinds of order (guest/link/main.c)."""

    RUN = 1
    SPAWN = 2
    LOOK = 3
    WAIT = 4
    FORGET = 5
    PUT = 6
    GET = 7


class LockstepDevice:
    """The suite's Device on a guest whose time passes only while it carries out an order.

    Deadlines are in the guest's time. The same orders in the same order make the same run, whatever the
    host does in between. All commands run as root.
    """

    emulated = True
    keeps_settings = False
    is_root = True

    def __init__(self, channel: Channel, serial: str) -> None:
        self.serial = serial
        self._channel = channel

    def __repr__(self) -> str:
        return f"LockstepDevice({self.serial})"

    def shell(
        self,
        argv: Sequence[str],
        *,
        deadline_s: float = 30.0,
        check: bool = True,
        stdin: bytes | None = None,
    ) -> CommandResult:
        """Run one command; every word is quoted. CommandFailed if ``check``, CommandTimeout."""
        return self._run(quote_argv(argv), deadline_s, check=check, stdin=stdin)

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        """Run shell text unchanged; the exit status is that of its last command."""
        return self._run(text, deadline_s, check=check)

    def spawn(self, argv: Sequence[str]) -> LockstepProcess:
        """Start a command and leave it running until `LockstepProcess.stop`."""
        command = quote_argv(argv)
        with log_command(self.serial, f"{command} &") as logged:
            pid = self.order(Message(_Order.SPAWN, first=f"exec {command}".encode()), 10.0).status
            if pid < 0:
                raise DeviceError(f"'{shorten(command)}' does not start: {_why(pid)}", device=self.serial)
            logged.outcome = f"runs as pid {pid}"
        return LockstepProcess(self, command, pid)

    def sleep(self, dur_s: float) -> None:
        """Let time pass on the device."""
        self.shell(["sleep", f"{dur_s:.3f}"], deadline_s=dur_s + 30.0)

    def push(self, local: Path, remote: str, *, mode: int = 0o644) -> None:
        """Copy a file to the device. UsageError, DeviceError."""
        try:
            with local.open("rb") as content:
                self._push(content, remote, mode)
        except OSError as error:
            raise UsageError(f"{local} cannot be read: {error.strerror}") from error

    def push_bytes(self, content: bytes, remote: str, *, mode: int = 0o644) -> None:
        """As `push`, from memory."""
        self._push(io.BytesIO(content), remote, mode)

    def pull(self, remote: str, local: Path, *, progress: Callable[[int], None] | None = None) -> None:
        """Copy a file from the device; ``local`` appears complete or not at all. DeviceError, HostError."""
        try:
            with replacing(local) as partial, partial.open("wb") as content:
                self._pull(remote, content, progress)
        except OSError as error:
            raise HostError(
                f"{local} cannot be written: {error.strerror}", next_step="check the free disk space: df"
            ) from error

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        """The content of a small text file. CommandFailed with the kernel's reason."""
        return self._run(f"cat {quote(remote)}", deadline_s).stdout

    def write_text(self, remote: str, text: str, *, deadline_s: float = 10.0) -> None:
        """Write ``text`` in one write(2), as files of /proc and /sys need it. CommandFailed."""
        content = text.encode("utf-8", "surrogateescape")
        self._run(f"cat > {quote(remote)}", deadline_s, stdin=content)

    def order(self, message: Message, deadline_s: float) -> Message:
        """Exchange one message with the guest's link. DeviceLost."""
        try:
            return self._channel.exchange(message, limit_s=deadline_s * _SLOWNESS + _SPARE_S)
        except DeviceLost as error:
            raise DeviceLost(error.what, device=self.serial, next_step=error.next_step) from error

    def _run(
        self, text: str, deadline_s: float, *, check: bool = True, stdin: bytes | None = None
    ) -> CommandResult:
        message = Message(
            _Order.RUN, deadline_ms=round(deadline_s * 1000), first=text.encode(), second=stdin or b""
        )
        with log_command(self.serial, text) as logged:
            reply = self.order(message, deadline_s)
            if reply.status < 0:
                raise DeviceError(
                    f"'{shorten(text)}' does not start: {_why(reply.status)}", device=self.serial
                )
            if reply.flags & _KILLED_LATE:
                raise CommandTimeout(
                    f"'{shorten(text)}' did not end within {deadline_s:g} s", device=self.serial
                )
            logged.outcome = f"exit {reply.status}"
        result = _result(reply)
        if check and result.exit_status != 0:
            printed = (result.stderr.strip() or result.stdout.strip())[-300:] or "it printed nothing"
            raise CommandFailed(
                f"'{shorten(text)}' ended with exit status {result.exit_status}: {printed}",
                exit_status=result.exit_status,
                stdout=result.stdout,
                stderr=result.stderr,
                device=self.serial,
            )
        return result

    def _push(self, content: BinaryIO, remote: str, mode: int) -> None:
        with log_command(self.serial, f"push to {quote(remote)}") as logged:
            at = 0
            while (part := content.read(_PART_BYTES)) or not at:
                message = Message(_Order.PUT, number=mode << 48 | at, first=remote.encode(), second=part)
                self._raise_failed(self.order(message, 30.0), f"writing {remote}")
                at += len(part)
                if not part:
                    break
            logged.outcome = f"{at} bytes"

    def _pull(self, remote: str, content: BinaryIO, progress: Callable[[int], None] | None) -> None:
        with log_command(self.serial, f"pull of {quote(remote)}") as logged:
            at = 0
            while True:
                reply = self.order(Message(_Order.GET, number=at, first=remote.encode()), 30.0)
                self._raise_failed(reply, f"reading {remote}")
                content.write(reply.first)
                at += len(reply.first)
                if progress is not None:
                    progress(at)
                if len(reply.first) < ROOM:
                    break
            logged.outcome = f"{at} bytes"

    def _raise_failed(self, reply: Message, doing: str) -> None:
        if reply.status:
            raise DeviceError(
                f"{doing} failed: {_why(reply.status)}",
                device=self.serial,
                next_step="check the path, and the memory left: files of the virtual device are in memory",
            )


class LockstepProcess:
    """The suite's RemoteProcess in lock-step: looking at it takes some instructions of the guest."""

    def __init__(self, device: LockstepDevice, command: str, pid: int) -> None:
        self.pid = pid
        self._device = device
        self._command = shorten(command)
        self._last: CommandResult | None = None

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        reply = self._look(_Order.LOOK, 0.0)
        return reply.status if reply.flags & _ENDED else None

    def output(self) -> str:
        """Its standard output so far; may end in the middle of a line."""
        return self._last.stdout if self._last is not None else _text(self._look(_Order.LOOK, 0.0).first)

    def wait(self, *, deadline_s: float) -> int:
        """Wait for its exit status. CommandTimeout leaves it running."""
        reply = self._look(_Order.WAIT, deadline_s)
        if not reply.flags & _ENDED:
            raise CommandTimeout(
                f"'{self._command}' did not end within {deadline_s:g} s", device=self._device.serial
            )
        return reply.status

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        """Send SIGTERM, then SIGKILL; wait, and return what it printed. CommandTimeout if it survives."""
        if self._last is not None:
            return self._last
        with log_command(self._device.serial, f"stop {self._command}") as logged:
            for name in _SIGNALS:
                if self.poll() is not None:
                    break
                self._device.script(kill_text(self.pid, name), check=False)
                self._look(_Order.WAIT, deadline_s)
            if self.poll() is None:
                raise CommandTimeout(
                    f"'{self._command}' (pid {self.pid}) survived SIGKILL",
                    device=self._device.serial,
                    next_step="it hangs in the kernel: see /proc/PID/stack",
                )
            self._last = _result(self._look(_Order.FORGET, 0.0))
            logged.outcome = f"exit {self._last.exit_status}"
        return self._last

    def _look(self, order: _Order, deadline_s: float) -> Message:
        if self._last is not None:
            return Message(status=self._last.exit_status, flags=_ENDED)
        message = Message(order, deadline_ms=round(deadline_s * 1000), number=self.pid)
        reply = self._device.order(message, deadline_s)
        if reply.status < 0 and not reply.flags & _ENDED:
            raise DeviceError(
                f"'{self._command}' (pid {self.pid}) is not known any more", device=self._device.serial
            )
        return reply


def _result(reply: Message) -> CommandResult:
    return CommandResult(reply.status, _text(reply.first), _text(reply.second), reply.number / 1e9)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\r\n", "\n")


def _why(status: int) -> str:
    return os.strerror(-status) if -status in errno.errorcode else f"error {-status}"
