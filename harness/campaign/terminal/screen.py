"""A campaign on a terminal: lines that stay, and below them a part that is drawn anew."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TextIO

from harness.campaign.terminal.progress import Progress
from harness.campaign.terminal.screen_layout import Row, frame, rows_of

#: Drawing costs a fraction of a millisecond of CPU, which a measurement on this host does not notice.
_TICK_S: Final = 1.0
#: Lines that are written again after the terminal was resized.
_KEPT: Final = 200
_SIZE_UNKNOWN: Final = os.terminal_size((80, 24))

_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"
_CLEAR_BELOW: Final = "\x1b[J"
_CLEAR_ALL: Final = "\x1b[H\x1b[2J"


def wants_screen(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether ``stream`` is a terminal on which a person wants a part of it drawn anew.

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
        with self._lock:
            self._write(text)

    def changed(self, progress: Progress) -> None:
        """Nothing: every line was written when it was said."""

    def aside(self) -> contextlib.AbstractContextManager[object]:
        """Nothing is drawn that could be in the way."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Nothing to undo."""


class Screen:
    """A view that draws on the terminal ``stream``, which it does not close.

    The drawn part appears with the first `changed` and is gone after `close`; lines stay.
    ``after`` writes the lines that come later. A terminal that was resized is cleared and
    written anew, since each kind of terminal breaks drawn rows in its own way.
    """

    def __init__(self, stream: TextIO, after: Callable[[str], None]) -> None:
        self._stream = stream
        self._after = after
        self._ascii = not (stream.encoding or "").lower().replace("-", "").startswith("utf8")
        self._lock = threading.RLock()
        self._kept: deque[str] = deque(maxlen=_KEPT)
        self._progress: Progress | None = None
        #: Rows that are on the terminal now; the cursor is at the end of the last one.
        self._drawn = 0
        self._size = self._terminal_size()
        self._closed = False
        self._end = threading.Event()
        self._ticker: threading.Thread | None = None

    def line(self, text: str) -> None:
        with self._lock:
            if self._closed:
                self._after(text)
                return
            self._kept.append(text)
            if self._resized():
                self._write(self._anew())
            else:
                self._write(self._erased() + _ended(text) + self._drawing())

    def changed(self, progress: Progress) -> None:
        with self._lock:
            if self._closed:
                return
            self._progress = progress
            self._refresh()
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, name="screen", daemon=True)
                self._ticker.start()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """The drawn part is away while somebody else writes to the terminal."""
        with self._lock:
            self._write(self._erased())
            try:
                yield
            finally:
                if not self._closed:
                    self._write(self._drawing())

    def close(self) -> None:
        """Take the drawn part away and show the cursor again; may be called twice."""
        self._end.set()
        with self._lock:
            if not self._closed:
                self._write(self._erased())
            self._closed = True
        if self._ticker is not None:
            self._ticker.join(timeout=5.0)

    def _tick(self) -> None:
        while not self._end.wait(_TICK_S):
            with self._lock:
                if not self._closed:
                    self._refresh()

    def _refresh(self) -> None:
        self._write(self._anew() if self._resized() else self._erased() + self._drawing())

    def _resized(self) -> bool:
        before, self._size = self._size, self._terminal_size()
        return before != self._size and self._drawn > 0

    def _anew(self) -> str:
        """Everything that the terminal can show, after it was resized."""
        self._drawn = 0
        drawing = self._drawing()
        room = self._size.lines - self._drawn
        shown: list[str] = []
        for text in reversed(self._kept):
            room -= rows_of(text, self._size.columns)
            if room < 0:
                break
            shown.append(_ended(text))
        return _CLEAR_ALL + "".join(reversed(shown)) + drawing

    def _erased(self) -> str:
        drawn, self._drawn = self._drawn, 0
        if not drawn:
            return ""
        up = f"\x1b[{drawn - 1}A" if drawn > 1 else ""
        return f"\r{up}{_CLEAR_BELOW}{_SHOW_CURSOR}"

    def _drawing(self) -> str:
        if self._progress is None:
            return ""
        # One row stays free, so that the last line above can be seen.
        rows = frame(self._progress, self._size.columns, self._size.lines - 1, ascii_only=self._ascii)
        self._drawn = len(rows)
        return _HIDE_CURSOR + "\r\n".join(map(_styled, rows))

    def _terminal_size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return _SIZE_UNKNOWN
        return size if size.columns and size.lines else _SIZE_UNKNOWN

    def _write(self, text: str) -> None:
        # A terminal that was closed must not end the campaign that it showed.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def _styled(row: Row) -> str:
    return "".join(f"\x1b[{span.style}m{span.text}\x1b[0m" if span.style else span.text for span in row)


def _ended(text: str) -> str:
    """``text`` as lines of a terminal that may be in raw mode, without control characters."""
    return "".join(
        "".join(char if char.isprintable() else " " for char in line) + "\r\n" for line in text.split("\n")
    )
