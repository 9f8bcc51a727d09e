"""The adb protocol, spoken by ourselves to do what the adb server never does."""

from __future__ import annotations

import socket
import struct

CNXN, OPEN, OKAY, CLSE, WRTE = (
    struct.unpack("<I", word)[0] for word in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
MAX_PAYLOAD = 256 * 1024


class Host:
    """One raw connection."""

    def __init__(self, port: int, *, connect: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        if connect:
            self.send(CNXN, 0x01000001, MAX_PAYLOAD, b"host::features=shell_v2")
            command, version, _, banner = self.receive()
            assert (command, version) == (CNXN, 0x01000001)
            assert banner.startswith(b"device::")

    def send(self, command: int, arg0: int, arg1: int, payload: bytes = b"") -> None:
        header = struct.pack("<6I", command, arg0, arg1, len(payload), 0, command ^ 0xFFFFFFFF)
        self.socket.sendall(header + payload)

    def receive(self) -> tuple[int, int, int, bytes]:
        command, arg0, arg1, length, _, magic = struct.unpack("<6I", self._exactly(24))
        assert magic == command ^ 0xFFFFFFFF
        return command, arg0, arg1, self._exactly(length)

    def open(self, mine: int, service: str) -> int:
        self.send(OPEN, mine, 0, service.encode() + b"\0")
        command, theirs, to, _ = self.receive()
        assert (command, to) == (OKAY, mine)
        return theirs

    def silent(self) -> bool:
        """Whether nothing comes for a while."""
        self.socket.settimeout(0.4)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK) and False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)

    def ended(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            assert more, "the daemon closed the connection"
            got += more
        return got


def sync_session(daemon: int, request: bytes) -> bytes:
    """Send one sync request and QUIT; all that comes back."""
    host = Host(daemon)
    theirs = host.open(1, "sync:")
    host.send(WRTE, 1, theirs, request + b"QUIT" + struct.pack("<I", 0))
    answer = b""
    while True:
        command, _, _, payload = host.receive()
        if command == CLSE:
            return answer
        if command == WRTE:
            answer += payload
            host.send(OKAY, 1, theirs)


def sync_request(kind: bytes, argument: str) -> bytes:
    encoded = argument.encode()
    return kind + struct.pack("<I", len(encoded)) + encoded
