"""fastboot over TCP, device side. Source: system/core/fastboot/README.md of the Android platform."""

from __future__ import annotations

import socket
import struct
from typing import Final

HANDSHAKE: Final = b"FB01"
#: A response is one packet of at most so many bytes, its four letters included.
RESPONSE_MAX: Final = 256

_LENGTH: Final = struct.Struct(">Q")


class Dropped(Exception):
    """The host is gone, or the connection was cut on purpose."""


class FastbootWire:
    """Framed packets over one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def shake_hands(self) -> None:
        """Both sides send four letters and two digits of a version."""
        self._sock.sendall(HANDSHAKE)
        if self._exactly(len(HANDSHAKE))[:2] != HANDSHAKE[:2]:
            raise Dropped

    def receive(self) -> bytes:
        """The next complete packet."""
        (size,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return self._exactly(size)

    def respond(self, word: str, text: str = "") -> None:
        """OKAY, FAIL, INFO, TEXT or DATA, with what follows it."""
        packet = (word + text).encode()[:RESPONSE_MAX]
        try:
            self._sock.sendall(_LENGTH.pack(len(packet)) + packet)
        except OSError as error:
            raise Dropped from error

    def close(self) -> None:
        try:
            # close alone would not wake the thread that is in recv.
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._sock.close()

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._sock.recv(min(size - len(parts), 1 << 20))
            except OSError as error:
                raise Dropped from error
            if not part:
                raise Dropped
            parts += part
        return bytes(parts)
