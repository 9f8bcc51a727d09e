"""A campaign on a terminal: lines that stay, and below them a part that rich updates in place."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from foundation.signals import signals_held
from harness.campaign.terminal.progress import Progress
from harness.campaign.terminal.screen_layout import frame, printable

#: Drawing costs a few milliseconds of CPU time, too little to disturb a measurement on this host.
_TICK_S: Final = 1.0
#: Lines to write again after the terminal was resized.
_KEPT: Final = 200
_SIZE_UNKNOWN: Final = ConsoleDimensions(80, 24)


class Screen:
    """A view that draws on the terminal ``stream``, which it does not close.

    The live part appears with the first `changed` and disappears with `close`; lines stay. ``after``
    writes the lines that come after `close`. A resized terminal is cleared and written again, because
    terminals rewrap rows differently and rich does not follow a new size.
    """

    def __init__(self, stream: TextIO, after: Callable[[str], None]) -> None:
        self._stream = stream
        self._console = Console(
            file=stream,
            force_terminal=True,
            force_interactive=True,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._after = after
        self._lock = threading.RLock()
        self._kept: deque[str] = deque(maxlen=_KEPT)
        self._progress: Progress | None = None
        self._live: Live | None = None
        self._console.size = self._terminal_size()
        self._closed = False
        self._end = threading.Event()
        self._ticker: threading.Thread | None = None

    def line(self, text: str) -> None:
        """Write a line above the live part."""
        with self._lock:
            if self._closed:
                self._after(text)
                return
            self._kept.append(text)
            with _drawing():
                if not self._redrawn_after_resize():
                    self._print(text)

    def changed(self, progress: Progress) -> None:
        """Show ``progress``, and keep its times current from now on."""
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
        """Hide the live part while another writer uses the terminal."""
        with self._lock:
            self._hide()
            try:
                yield
            finally:
                if not self._closed:
                    self._refresh()

    def close(self) -> None:
        """Remove the live part and show the cursor again; may be called twice."""
        self._end.set()
        with self._lock:
            self._hide()
            self._closed = True
        if self._ticker is not None:
            self._ticker.join(timeout=5.0)

    def _tick(self) -> None:
        while not self._end.wait(_TICK_S):
            with self._lock:
                if not self._closed:
                    self._refresh()

    def _refresh(self) -> None:
        if self._progress is None:
            return
        with _drawing():
            if self._redrawn_after_resize():
                return
            if self._live is None:
                self._live = Live(
                    get_renderable=self._frame,
                    console=self._console,
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start(refresh=True)
            else:
                self._live.refresh()

    def _hide(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with _drawing():
                live.stop()

    def _redrawn_after_resize(self) -> bool:
        before, now = self._console.size, self._terminal_size()
        if before == now:
            return False
        was_shown = self._live is not None
        self._hide()
        self._console.size = now
        if was_shown:
            self._console.clear()
            for text in self._last_kept():
                self._print(text)
            self._refresh()
        return was_shown

    def _last_kept(self) -> list[str]:
        """The last lines, as many as fit above the live part."""
        width, room = self._console.size
        room -= len(self._rows())
        shown: list[str] = []
        for text in reversed(self._kept):
            room -= sum(max(1, math.ceil(cell_len(line) / width)) for line in text.split("\n"))
            if room < 0:
                break
            shown.insert(0, text)
        return shown

    def _terminal_size(self) -> ConsoleDimensions:
        # rich would ask the standard streams, which pytest has redirected.
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return _SIZE_UNKNOWN
        return ConsoleDimensions(*size) if size.columns and size.lines else _SIZE_UNKNOWN

    def _print(self, text: str) -> None:
        # Not wrapped by rich, so that a long line copied from the terminal stays one line.
        self._console.print(Text("\n".join(map(printable, text.split("\n")))), soft_wrap=True)

    def _rows(self) -> list[Text]:
        if self._progress is None:
            return []
        width, height = self._console.size
        # One row stays free for the last line above.
        return frame(self._progress, width, height - 1, ascii_only=self._console.options.ascii_only)

    def _frame(self) -> Group:
        return Group(*self._rows())


@contextlib.contextmanager
def _drawing() -> Iterator[None]:
    """Hold Ctrl-C until a drawing is complete, and ignore a terminal that was closed."""
    with signals_held(python_handlers_only=True), contextlib.suppress(OSError, ValueError):
        yield
