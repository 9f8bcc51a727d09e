"""The host's end of the channel to a guest's link: shared memory, and turns.

It is the guest's turn or the host's. While it is the host's, the guest's CPU is inside one instruction
that QEMU completes only when the host gives the turn back, so none of the guest's time passes. On
aarch64 that instruction is a semihosting call that reads a pipe; on x86-64 it writes a byte to QEMU's
debug console, whose pipe is full (guest/link/channel.c).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import select
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.contract.arch import Arch
from foundation.errors import DeviceLost, HostError, UsageError
from harness.virtual.stall import StallWatch

MEMORY_BYTES: Final = 16 << 20
_MEMORY_FILE: Final = "link-memory"
_HEADER: Final = struct.Struct("<IIIIiIQ")
#: In the kind of a reply; a link that has started anew has replied to nothing.
_REPLY: Final = 0x8000_0000
#: Bytes of an order's or a reply's content.
ROOM: Final = MEMORY_BYTES - _HEADER.size
#: Bytes of shell text, or of a path (guest/link/main.c).
TEXT_MAX: Final = 256 * 1024 - 1

_ALIVE_EVERY_S: Final = 0.2
#: The smallest pipe of Linux (pipe(7)): the guest writes one byte more than it holds.
_PIPE_BYTES: Final = 4096


@dataclass(frozen=True)
class Message:
    """An order or a reply; the meaning of its fields is in guest/link/channel.h."""

    kind: int = 0
    deadline_ms: int = 0
    status: int = 0
    flags: int = 0
    number: int = 0
    first: bytes = b""
    second: bytes = b""


class Channel(ABC):
    """The channel of one machine; its files are in ``folder``, QEMU's working directory.

    ``describe_loss`` returns why QEMU has ended, or None while it runs; ``cpu_s`` the CPU seconds that
    it has used.
    """

    def __init__(
        self, folder: Path, describe_loss: Callable[[], str | None], cpu_s: Callable[[], float]
    ) -> None:
        self._describe_loss = describe_loss
        self._cpu_s = cpu_s
        path = folder / _MEMORY_FILE
        try:
            with path.open("wb") as file:
                file.truncate(MEMORY_BYTES)
            with path.open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), MEMORY_BYTES)
        except OSError as error:
            raise HostError(
                f"{path} cannot be created: {error.strerror}", next_step="free some space: df"
            ) from error
        self._path = path
        self._in_step = True

    def arguments(self) -> list[str]:
        """QEMU's options for this channel."""
        return [
            "-object",
            f"memory-backend-file,id=link,share=on,mem-path={_MEMORY_FILE},size={MEMORY_BYTES}",
            *("-device", "ivshmem-plain,memdev=link"),
        ]

    def exchange(self, order: Message, *, limit_s: float) -> Message:
        """Give ``order`` to the guest and wait for its reply.

        DeviceLost if QEMU ended or hangs, or if no reply came within ``limit_s`` seconds of its CPU time;
        UsageError for content that does not fit.
        """
        if len(order.first) > TEXT_MAX or len(order.first) + len(order.second) > ROOM:
            size = len(order.first) + len(order.second)
            raise UsageError(f"an order of {size} bytes is too long for the virtual device")
        if not self._in_step:
            raise DeviceLost(
                "the guest may still carry out an earlier order, which was given up",
                next_step="boot the device again",
            )
        self._in_step = False
        head = (order.kind, order.deadline_ms, len(order.first), len(order.second))
        self._memory.seek(0)
        self._memory.write(_HEADER.pack(*head, order.status, order.flags, order.number))
        self._memory.write(order.first + order.second)
        self._give_turn()
        self.wait(limit_s=limit_s)
        self._memory.seek(0)
        kind, deadline_ms, first, second, status, flags, number = _HEADER.unpack(
            self._memory.read(_HEADER.size)
        )
        content = self._memory.read(first + second)
        if kind != order.kind | _REPLY:
            raise DeviceLost("the guest's link ended in an order", next_step="read the console log")
        self._in_step = True
        return Message(kind, deadline_ms, status, flags, number, content[:first], content[first:])

    def wait(self, *, limit_s: float) -> None:
        """Wait until it is the host's turn. DeviceLost as in `exchange`."""
        watch = StallWatch(self._cpu_s)
        looked = time.monotonic()
        while not self._has_turn():
            now = time.monotonic()
            if now - looked <= _ALIVE_EVERY_S:
                continue
            looked = now
            loss = self._describe_loss() or watch.hung()
            if loss is not None:
                raise DeviceLost(loss)
            if watch.used_s() > limit_s:
                raise DeviceLost(
                    f"the guest did not answer within {limit_s:.0f} s of CPU time",
                    next_step="read its console log",
                )

    @abstractmethod
    def _has_turn(self) -> bool:
        """Whether it is the host's turn; waits for some milliseconds."""

    @abstractmethod
    def _give_turn(self) -> None:
        """Let the guest run."""

    def close(self) -> None:
        """Remove the channel's files; QEMU has ended."""
        self._memory.close()
        self._path.unlink(missing_ok=True)


class SemihostingChannel(Channel):
    """Turns by two pipes that the guest opens through semihosting."""

    def __init__(
        self, folder: Path, describe_loss: Callable[[], str | None], cpu_s: Callable[[], float]
    ) -> None:
        super().__init__(folder, describe_loss, cpu_s)
        self._to_guest = _Pipe(folder / "to-guest")
        self._from_guest = _Pipe(folder / "from-guest")

    def arguments(self) -> list[str]:
        """QEMU's options for this channel."""
        return [*super().arguments(), "-semihosting-config", "enable=on,target=native,userspace=on"]

    def _has_turn(self) -> bool:
        ready, _, _ = select.select([self._from_guest.fd], [], [], _ALIVE_EVERY_S)
        return bool(ready and os.read(self._from_guest.fd, 1))

    def _give_turn(self) -> None:
        os.write(self._to_guest.fd, b".")

    def close(self) -> None:
        """Remove the channel's files; QEMU has ended."""
        self._to_guest.close()
        self._from_guest.close()
        super().close()


class DebugConsoleChannel(Channel):
    """Turns by a full pipe behind QEMU's debug console."""

    def __init__(
        self, folder: Path, describe_loss: Callable[[], str | None], cpu_s: Callable[[], float]
    ) -> None:
        super().__init__(folder, describe_loss, cpu_s)
        self._pipe = _Pipe(folder / "debug-console")
        if fcntl.fcntl(self._pipe.fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES) != _PIPE_BYTES:
            raise HostError(
                "this host has no pipes of 4096 bytes", next_step="use an aarch64 base, such as 6.12-arm64"
            )

    def arguments(self) -> list[str]:
        """QEMU's options for this channel."""
        return [
            *super().arguments(),
            *("-chardev", "file,id=turns,path=debug-console,append=on"),
            *("-device", "isa-debugcon,iobase=0xe9,chardev=turns"),
        ]

    def _has_turn(self) -> bool:
        # The first byte comes after the reply, and the last cannot come before a byte is read.
        return bool(select.select([self._pipe.fd], [], [], _ALIVE_EVERY_S)[0])

    def _give_turn(self) -> None:
        left = _PIPE_BYTES + 1
        while left:
            left -= len(os.read(self._pipe.fd, left))

    def close(self) -> None:
        """Remove the channel's files; QEMU has ended."""
        self._pipe.close()
        super().close()


def open_channel(
    arch: Arch, folder: Path, describe_loss: Callable[[], str | None], cpu_s: Callable[[], float]
) -> Channel:
    """The channel for a guest of ``arch``. HostError."""
    kind = SemihostingChannel if arch == "aarch64" else DebugConsoleChannel
    return kind(folder, describe_loss, cpu_s)


class _Pipe:
    """A named pipe, open at both ends here so that no open and no end of file has to be handled."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        os.mkfifo(path, 0o600)
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self.fd)
        self._path.unlink(missing_ok=True)
