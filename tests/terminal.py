"""A program on a pseudo terminal, and what its screen shows."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte


class Terminal:
    """Runs ``argv`` on a terminal of its own, whose screen is kept in memory.

    The program leads a session, so that `type` of Ctrl-C reaches it as a person's does.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 100,
        rows: int = 30,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=5000, ratio=0.5)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._end, there = pty.openpty()
        _set_size(there, columns, rows)
        plain = {
            key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "COLUMNS")
        }
        self._process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**plain, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(environment or {})},
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(there)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._end)

    @property
    def cursor_hidden(self) -> bool:
        return bool(self.screen.cursor.hidden)

    @property
    def pid(self) -> int:
        return self._process.pid

    def shown(self) -> list[str]:
        """The rows that a person sees, without the empty ones at the end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def said(self) -> str:
        """All that was written, without control sequences: for what has scrolled away."""
        return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.raw).decode("utf-8", "replace")

    def wait_for(self, pattern: str, *, limit_s: float = 30.0) -> re.Match[str]:
        """Read until the screen shows ``pattern``; AssertionError with the screen if it never does."""
        until = time.monotonic() + limit_s
        while True:
            found = re.search(pattern, "\n".join(self.shown()))
            if found:
                return found
            if not self._read(0.2) and self._process.poll() is not None:
                break
            if time.monotonic() > until:
                break
        raise AssertionError(f"{pattern!r} never came; the screen:\n" + "\n".join(self.shown()))

    def type(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def resize(self, columns: int, rows: int) -> None:
        """As a terminal that cuts its rows, and does not break them anew, such as xterm."""
        self.screen.resize(rows, columns)
        _set_size(self._end, columns, rows)

    def finish(self, *, limit_s: float = 60.0) -> int:
        """Read to the end; the exit status."""
        until = time.monotonic() + limit_s
        while self._read(0.2) or self._process.poll() is None:
            assert time.monotonic() < until, "\n".join(self.shown())
        return self._process.wait()

    def stop(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def _read(self, wait_s: float) -> bool:
        """Whether something came."""
        ready, _, _ = select.select([self._end], [], [], wait_s)
        if not ready:
            return False
        with contextlib.suppress(OSError):
            data = os.read(self._end, 65536)
            self.raw += data
            self._stream.feed(data)
            return bool(data)
        # The other side is closed.
        time.sleep(0.05)
        return False


def _set_size(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
