"""A campaign as plain lines, and when a terminal gets more than those."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TextIO

from harness.campaign.terminal.progress import Progress


def wants_screen(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether ``stream`` is a terminal on which a person wants a part of it updated in place.

    Not with NO_COLOR (https://no-color.org), with TERM=dumb or none, or where CI is set.
    """
    if environment.get("NO_COLOR") or environment.get("CI"):
        return False
    return stream.isatty() and environment.get("TERM", "") not in ("", "dumb", "unknown")


class Lines:
    """A view of plain lines."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Write ``text`` at once."""
        with self._lock:
            self._write(text)

    def changed(self, progress: Progress) -> None:
        """Nothing: every line has been written already."""

    def aside(self) -> contextlib.AbstractContextManager[object]:
        """Nothing is in the way of other writers."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Nothing to undo."""
