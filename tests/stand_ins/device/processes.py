"""Pids and signals of what runs on the fake device."""

from __future__ import annotations

import itertools
import signal
import threading
from dataclasses import dataclass, field


class Killed(Exception):
    """The process got a signal that ends it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@dataclass
class Process:
    """One command line; its commands ask `wait` now and then whether they may go on."""

    pid: int
    ignores_term: bool = False
    _signal: int = 0
    _poked: threading.Event = field(default_factory=threading.Event)

    def send(self, number: int) -> None:
        if number == 0 or (number == signal.SIGTERM and self.ignores_term):
            return
        self._signal = number
        self._poked.set()

    def wait(self, seconds: float | None) -> None:
        """Sleep; Killed when a signal ends it before."""
        if self._poked.wait(seconds):
            raise Killed(self._signal)


class Processes:
    """The table of what runs now."""

    def __init__(self) -> None:
        self._numbers = itertools.count(4000)
        self._running: dict[int, Process] = {}
        self._lock = threading.Lock()

    def start(self) -> Process:
        with self._lock:
            process = Process(next(self._numbers))
            self._running[process.pid] = process
            return process

    def end(self, process: Process) -> None:
        with self._lock:
            self._running.pop(process.pid, None)

    def find(self, pid: int) -> Process | None:
        """By pid, or by -pid for the group it leads."""
        with self._lock:
            return self._running.get(abs(pid))

    @property
    def pids(self) -> list[int]:
        with self._lock:
            return sorted(self._running)

    def end_all(self) -> None:
        """The device goes down."""
        with self._lock:
            running = list(self._running.values())
        for process in running:
            process.send(signal.SIGKILL)
