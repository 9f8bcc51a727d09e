"""Hold back SIGINT, SIGTERM and SIGHUP, or turn them into KeyboardInterrupt, within a block.

Python runs signal handlers in the main thread only; in other threads these functions do nothing.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Final

Handler = Callable[[int, FrameType | None], object]

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def handled_by(handler: Handler, numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Handle these signals by ``handler`` during the block, then restore the former handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    try:
        for number in numbers:
            before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, former in before.items():
            # None: the handler was not set from Python and cannot be restored from it.
            if former is not None:
                signal.signal(number, former)


@contextlib.contextmanager
def signals_held(*, python_handlers_only: bool = False) -> Iterator[None]:
    """Hold SIGINT and SIGTERM back during the block, and deliver them after it.

    For what must not stop halfway: restoring a device, or compiled code that calls back into
    Python. With ``python_handlers_only`` a signal with the system's default action (usually
    SIGTERM) still ends the process at once.
    """
    held: list[int] = []
    numbers = [
        number for number in _STOPS if not python_handlers_only or callable(signal.getsignal(number))
    ]
    try:
        with handled_by(lambda number, frame: held.append(number), numbers):
            yield
    finally:
        for number in held:
            signal.raise_signal(number)


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind the block as Ctrl-C does, so that it releases what it holds."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handled_by(interrupt, [signal.SIGTERM]):
        yield
