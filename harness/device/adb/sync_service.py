"""Files to and from the device over adb's sync service.

Source of the formats: packages/modules/adb/file_sync_protocol.h of the Android platform.
"""

from __future__ import annotations

import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from foundation.errors import CommandTimeout, DeviceError
from harness.device.adb.adb_link import AdbStream
from harness.device.deadline import Deadline

SERVICE: Final = "sync:"
#: The protocol's limit for one data block, bytes.
BLOCK: Final = 64 * 1024
#: A transfer without a byte for so long is ended, seconds.
STALL_S: Final = 30.0

_ID_SIZE: Final = struct.Struct("<4sI")
_STAT_V1: Final = struct.Struct("<4sIII")
_STAT_V2: Final = struct.Struct("<4sIQQIIIIQqqq")


@dataclass(frozen=True)
class RemoteStat:
    """``size`` in bytes (0 for most files of /proc and /sys), ``mode`` as in stat(2)."""

    mode: int
    size: int

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)


class SyncSession:
    """One sync stream; ``v2``: the device announced stat_v2 (sizes above 4 GiB)."""

    def __init__(self, stream: AdbStream, serial: str, *, v2: bool, deadline: Deadline) -> None:
        self._stream = stream
        self._serial = serial
        self._v2 = v2
        self._deadline = deadline

    def stat(self, remote: str) -> RemoteStat | None:
        """Mode and size of ``remote`` (v2 follows links), or None if it does not exist."""
        self._ask(b"STA2" if self._v2 else b"STAT", remote.encode("utf-8", "surrogateescape"))
        if not self._v2:
            _, mode, size, _ = _STAT_V1.unpack(self._read(_STAT_V1.size))
            return RemoteStat(mode, size) if mode else None
        fields = _STAT_V2.unpack(self._read(_STAT_V2.size))
        error, mode, size = fields[1], fields[4], fields[8]
        return None if error else RemoteStat(mode, size)

    def receive(self, remote: str) -> Iterator[bytes]:
        """Yield the content of ``remote`` in blocks. DeviceError with the device's reason."""
        self._ask(b"RECV", remote.encode("utf-8", "surrogateescape"))
        while True:
            kind, size = _ID_SIZE.unpack(self._read(_ID_SIZE.size))
            if kind == b"DONE":
                return
            if kind == b"FAIL":
                raise DeviceError(
                    f"{remote} cannot be read: {self._reason(size)}",
                    device=self._serial,
                    next_step="check that it exists and that the shell user may read it",
                )
            if kind != b"DATA" or size > BLOCK:
                raise DeviceError(f"sync block {kind!r} of {size} bytes for {remote}", device=self._serial)
            yield self._read(size)

    def send(self, content: BinaryIO, remote: str, mode: int) -> int:
        """Write ``content`` to ``remote`` and return its size in bytes. DeviceError with the reason."""
        target = f"{remote},{stat.S_IFREG | mode}".encode("utf-8", "surrogateescape")
        self._ask(b"SEND", target)
        sent = 0
        while block := content.read(BLOCK):
            self._send(_ID_SIZE.pack(b"DATA", len(block)) + block)
            sent += len(block)
        self._send(_ID_SIZE.pack(b"DONE", int(time.time())))
        kind, size = _ID_SIZE.unpack(self._read(_ID_SIZE.size))
        if kind == b"FAIL":
            raise DeviceError(
                f"{remote} cannot be written: {self._reason(size)}",
                device=self._serial,
                next_step="check that the directory exists and is writable, and the space left: df",
            )
        if kind != b"OKAY":
            raise DeviceError(f"sync answer {kind!r} after writing {remote}", device=self._serial)
        return sent

    def quit(self) -> None:
        """End the session."""
        self._send(_ID_SIZE.pack(b"QUIT", 0))

    def _ask(self, kind: bytes, payload: bytes) -> None:
        self._send(_ID_SIZE.pack(kind, len(payload)) + payload)

    def _reason(self, size: int) -> str:
        return self._read(min(size, BLOCK)).decode("utf-8", "replace").strip()

    def _send(self, data: bytes) -> None:
        self._arm()
        self._stream.send(data)

    def _read(self, size: int) -> bytes:
        self._arm()
        return self._stream.read_exact(size)

    def _arm(self) -> None:
        """Apply the deadline of the transfer, and STALL_S to each step of it."""
        if self._deadline.passed:
            raise CommandTimeout(
                f"the transfer did not end within {self._deadline.seconds:g} s",
                device=self._serial,
                next_step="check the cable and the space left on the device",
            )
        self._stream.extend(Deadline(max(0.001, min(STALL_S, self._deadline.left_s))))
