"""adb's transport packets. Source: packages/modules/adb/protocol.txt of the Android platform."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

VERSION: Final = 0x01000001
MAX_PAYLOAD: Final = 256 * 1024

_HEADER: Final = struct.Struct("<6I")


class Command(IntEnum):
    CNXN = 0x4E584E43
    AUTH = 0x48545541
    OPEN = 0x4E45504F
    OKAY = 0x59414B4F
    CLSE = 0x45534C43
    WRTE = 0x45545257


AUTH_TOKEN: Final = 1
AUTH_SIGNATURE: Final = 2
AUTH_PUBLIC_KEY: Final = 3


@dataclass(frozen=True)
class Packet:
    command: int
    arg0: int
    arg1: int
    payload: bytes = b""


class Wire:
    """Packets over one socket; sending is safe from several threads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def receive(self) -> Packet | None:
        """The next packet, or None once the host is gone."""
        header = self._exactly(_HEADER.size)
        if header is None:
            return None
        command, arg0, arg1, size, _, magic = _HEADER.unpack(header)
        if magic != command ^ 0xFFFFFFFF or size > MAX_PAYLOAD:
            return None
        payload = self._exactly(size)
        return None if payload is None else Packet(command, arg0, arg1, payload)

    def send(self, packet: Packet, *, delay_s: float = 0.0) -> None:
        """ConnectionError once the host is gone."""
        if delay_s:
            time.sleep(delay_s)
        header = _HEADER.pack(
            packet.command, packet.arg0, packet.arg1, len(packet.payload), 0, packet.command ^ 0xFFFFFFFF
        )
        try:
            with self._lock:
                self._sock.sendall(header + packet.payload)
        except OSError as error:
            raise ConnectionError("the host is gone") from error

    def close(self) -> None:
        # close alone would not wake the thread that is in recv.
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._sock.close()

    def _exactly(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._sock.recv(size - len(parts))
            except OSError:
                return None
            if not part:
                return None
            parts += part
        return bytes(parts)
