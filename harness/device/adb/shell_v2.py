"""A command on the device over adb's shell v2 protocol: separate stdin, stdout, stderr and exit status.

A packet is one byte of kind, four bytes of length (little endian), and data. Source: the
Android platform, packages/modules/adb/shell_protocol.h.

Each command is sent as ``echo $$; COMMAND``: the first line of its output is the pid
of its shell, which adbd makes the leader of a process group. So a command that overruns
its deadline is killed on the device, not just forgotten by the host.
"""

from __future__ import annotations

import select
import struct
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal

from foundation.errors import CommandTimeout, DeviceError
from harness.device.adb.adb_link import AdbStream
from harness.device.adb.own_adb import own_adb
from harness.device.command_log import shorten

SERVICE: Final = "shell,v2,raw:"

#: Longest command text sent as a service name, bytes. Older adbds take packets of 4 KiB only.
MAX_INLINE: Final = 3500
#: Runs the text that comes on stdin, of any length; the commands in it find stdin empty.
FROM_STDIN: Final = 'eval "$(cat)"'

_HEADER: Final = struct.Struct("<BI")
_STDIN_CHUNK: Final = 32 * 1024
_MAX_PID_LINE: Final = 64


class Kind(IntEnum):
    """Kind of a packet."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    CLOSE_STDIN = 4


def pack(kind: Kind, data: bytes = b"") -> bytes:
    """Return one packet."""
    return _HEADER.pack(kind, len(data)) + data


def inline(text: str, stdin: bytes | None) -> tuple[str, bytes | None]:
    """Command text and stdin as they are sent; a long text goes through stdin.

    DeviceError for a long text that also has input.
    """
    service = f"echo $$; {text}"
    if len(service.encode("utf-8", "surrogateescape")) <= MAX_INLINE:
        return service, stdin
    if stdin:
        raise DeviceError(
            f"a command of {len(text)} characters cannot also take input",
            next_step="push the input as a file",
        )
    return f"echo $$; {FROM_STDIN}", text.encode("utf-8", "surrogateescape")


@dataclass
class ShellStream:
    """Reads the packets of one command. ``exit_status`` is None until it ends."""

    stream: AdbStream
    serial: str
    pid: int | None = None
    exit_status: int | None = None
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    _begun_s: float = field(default_factory=time.monotonic)

    @property
    def dur_s(self) -> float:
        """Seconds since the command was sent."""
        return time.monotonic() - self._begun_s

    def feed(self, stdin: bytes | None) -> None:
        """Send ``stdin`` (None: empty) and its end, while reading the output."""
        stdin = stdin or b""
        for start in range(0, len(stdin), _STDIN_CHUNK):
            self.stream.send(pack(Kind.STDIN, stdin[start : start + _STDIN_CHUNK]))
            # A command that prints while it is fed would fill the pipe and block both sides.
            while self.exit_status is None and self._readable():
                self.read_packet()
            if self.exit_status is not None:
                return
        self.stream.send(pack(Kind.CLOSE_STDIN))

    def read_packet(self) -> Literal["data", "pid", "exit"]:
        """Read one packet. DeviceError for a malformed one."""
        number, size = _HEADER.unpack(self.stream.read_exact(_HEADER.size))
        data = self.stream.read_exact(size)
        if number == Kind.STDOUT:
            self.stdout += data
            if self.pid is None:
                return "pid" if self._take_pid() else "data"
        elif number == Kind.STDERR:
            self.stderr += data
        elif number == Kind.EXIT:
            if len(data) != 1:
                raise DeviceError(f"an exit status of {len(data)} bytes", device=self.serial)
            self.exit_status = data[0]
            return "exit"
        else:
            raise DeviceError(f"a shell packet of unknown kind {number}", device=self.serial)
        return "data"

    def read_to_end(self) -> int:
        """Read all packets and return the exit status."""
        while self.exit_status is None:
            self.read_packet()
        return self.exit_status

    def text(self, which: Literal["stdout", "stderr"]) -> str:
        """The output so far without the pid line; bytes that are not UTF-8 become U+FFFD."""
        return bytes(self.stdout if which == "stdout" else self.stderr).decode("utf-8", "replace")

    def _take_pid(self) -> bool:
        line, newline, rest = self.stdout.partition(b"\n")
        if not newline and len(line) < _MAX_PID_LINE:
            return False
        if not line.strip().isdigit():
            raise DeviceError(
                f"the shell printed {bytes(line[:60])!r} instead of its pid",
                device=self.serial,
                next_step="a login script may print text: see what this prints: "
                + own_adb("shell", "echo", "ok", serial=self.serial),
            )
        self.pid = int(line)
        self.stdout = bytearray(rest)
        return True

    def _readable(self) -> bool:
        return bool(select.select([self.stream.sock], [], [], 0)[0])


def kill_text(pid: int | str, signal: Literal["TERM", "KILL"]) -> str:
    """Shell text that signals the process group of ``pid``, or ``pid`` alone if it leads none.

    Its exit status is 0 if something was signalled.
    """
    return f"kill -{signal} -{pid} 2>/dev/null || kill -{signal} {pid} 2>/dev/null"


def timed_out(command: str, seconds: float, serial: str, *, stopped: bool) -> CommandTimeout:
    """The error for a command that overran ``seconds``; ``stopped``: it was killed on the device."""
    fate = "it was stopped on the device" if stopped else "it may still run on the device"
    return CommandTimeout(
        f"'{shorten(command)}' did not end within {seconds:g} s; {fate}",
        device=serial,
        next_step="raise its deadline, or find out what it waits for",
    )
