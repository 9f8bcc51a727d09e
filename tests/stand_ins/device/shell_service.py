"""adbd's shell,v2 service. Source of the packets: packages/modules/adb/shell_protocol.h."""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable
from typing import Final

from tests.stand_ins.device.faults import Faults, Stage
from tests.stand_ins.device.processes import Killed, Process
from tests.stand_ins.device.shells import Io, Shell
from tests.stand_ins.device.stream import Stream

_HEADER: Final = struct.Struct("<BI")
_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
_CHUNK: Final = 32 * 1024


class ShellService:
    """Serves one command. ``stage`` is called at each moment at which the connection may be dropped."""

    def __init__(
        self, stream: Stream, faults: Faults, shell: Shell, process: Process, stage: Callable[[Stage], None]
    ) -> None:
        self._stream = stream
        self._faults = faults
        self._shell = shell
        self._process = process
        self._stage = stage
        self._stdin: queue.Queue[bytes] = queue.Queue()
        self._stdin_ended = False

    def serve(self, text: str, *, root: bool) -> None:
        """Run ``text`` and report. ConnectionError when the host is gone."""
        threading.Thread(target=self._take_input, name="fake-stdin", daemon=True).start()
        self._stage("opened")
        io = Io(
            self._input, lambda data: self._print(_STDOUT, data), lambda data: self._print(_STDERR, data)
        )
        try:
            if self._faults.greeting:
                io.out(self._faults.greeting)
            status = self._shell.run(text, io, self._process, root=root)
        except Killed as killed:
            status = 128 + killed.number
        self._stage("exit")
        self._stream.write(_HEADER.pack(_EXIT, 1) + bytes([status & 0xFF]))

    def _print(self, kind: int, data: bytes) -> None:
        for begin in range(0, len(data), _CHUNK):
            part = data[begin : begin + _CHUNK]
            self._stream.write(_HEADER.pack(kind, len(part)) + part)
        self._stage("output")

    def _input(self) -> bytes:
        if self._stdin_ended:
            return b""
        data = self._stdin.get()
        self._stdin_ended = not data
        return data

    def _take_input(self) -> None:
        try:
            while True:
                kind, size = _HEADER.unpack(self._stream.read_exact(_HEADER.size))
                data = self._stream.read_exact(size) if size else b""
                if kind == _STDIN and data:
                    self._stdin.put(data)
                elif kind == _CLOSE_STDIN:
                    self._stdin.put(b"")
        except ConnectionError:
            self._stdin.put(b"")
