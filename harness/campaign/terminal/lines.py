"""A campaign as plain lines, and which terminals get more."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TextIO

from harness.campaign.terminal.progress import Progress


def wants_screen(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether ``stream`` is a terminal to be updated in place.

    Not with NO_COLOR (https://no-color.org) or CI set, or with TERM unset or dumb.
    """
    if environment.get("NO_COLOR") or environment.get("CI"):
        return False
    return stream.isatty() and environment.get("TERM", "") not in ("", "dumb", "unknown")


class Lines:
    """A view that writes plain lines."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Write ``text`` immediately."""
        with self._lock:
            self._write(text)

    def changed(self, progress: Progress) -> None:
        """Do nothing: all lines are written already."""

    def aside(self) -> contextlib.AbstractContextManager[object]:
        """Do nothing: lines leave nothing to hide from other writers."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Do nothing."""
