"""One stream of a transport: what a service on the device reads and writes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from tests.stand_ins.device.wire import Command, Packet

_CLOSED: Final = b""


class Stream:
    """Flow control as adb has it: one WRTE at a time, each answered by OKAY."""

    def __init__(self, local: int, remote: int, send: Callable[[Packet], None], max_payload: int) -> None:
        self.local = local
        self.remote = remote
        self._send = send
        self._max_payload = max_payload
        self._arrived: queue.Queue[bytes] = queue.Queue()
        self._buffer = bytearray()
        self._ready = threading.Semaphore(0)
        self._open = True
        self._writing = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._open

    def read_some(self) -> bytes:
        """What has come; empty once the host has closed the stream."""
        if self._buffer:
            data, self._buffer = bytes(self._buffer), bytearray()
            return data
        data = self._arrived.get()
        if data == _CLOSED:
            # For the next reader as well.
            self._arrived.put(_CLOSED)
        return data

    def read_exact(self, size: int) -> bytes:
        """ConnectionError if the stream ends before."""
        parts = bytearray()
        while len(parts) < size:
            part = self.read_some()
            if not part:
                raise ConnectionError("the host closed the stream")
            parts += part
        self._buffer = parts[size:] + self._buffer
        return bytes(parts[:size])

    def write(self, data: bytes) -> None:
        """Blocks until the host has taken it. ConnectionError once it is closed."""
        with self._writing:
            for begin in range(0, len(data), self._max_payload):
                part = data[begin : begin + self._max_payload]
                if self._open:
                    self._send(Packet(Command.WRTE, self.local, self.remote, part))
                    self._ready.acquire()
                if not self._open:
                    raise ConnectionError("the host closed the stream")

    def close(self) -> None:
        """End it from the device's side."""
        if self._open:
            self.end()
            self._send(Packet(Command.CLSE, self.local, self.remote))

    # Called by the transport.

    def arrive(self, data: bytes) -> None:
        if data:
            self._arrived.put(data)
        self._send(Packet(Command.OKAY, self.local, self.remote))

    def acknowledge(self) -> None:
        self._ready.release()

    def end(self) -> None:
        """The host closed it, or the connection is gone."""
        self._open = False
        self._arrived.put(_CLOSED)
        self._ready.release()
