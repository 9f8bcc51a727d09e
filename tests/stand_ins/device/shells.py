"""What a shell of the fake device is given, and what it must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.stand_ins.device.processes import Process


@dataclass(frozen=True)
class Io:
    """``stdin`` returns what has come, empty at its end."""

    stdin: Callable[[], bytes]
    out: Callable[[bytes], None]
    err: Callable[[bytes], None]

    def fail(self, text: str) -> None:
        self.err(f"{text}\n".encode("utf-8", "surrogateescape"))


def no_input() -> bytes:
    return b""


class Shell(Protocol):
    """Runs one command text; its exit status."""

    def run(self, text: str, io: Io, process: Process, *, root: bool) -> int: ...
