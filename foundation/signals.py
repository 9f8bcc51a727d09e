"""SIGINT, SIGTERM and SIGHUP: held back, or turned into KeyboardInterrupt, and always put back.

Python runs signal handlers in the main thread only, so every function here does nothing in others.
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
    """Let ``handler`` have these signals during the block; the handlers from before come back after it."""
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
            # None: a handler that was not set from Python, and cannot be set again from it.
            if former is not None:
                signal.signal(number, former)


@contextlib.contextmanager
def signals_held(*, python_handlers_only: bool = False) -> Iterator[None]:
    """Hold SIGINT and SIGTERM back during the block, and deliver them after it.

    For what must not stop halfway: putting a device back, or a call of compiled code that calls
    back into Python. With ``python_handlers_only`` a signal whose action is the system's own
    (SIGTERM, as a rule) still ends the process at once.
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
    """SIGTERM unwinds the block as Ctrl-C does, so that what it holds is given back."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handled_by(interrupt, [signal.SIGTERM]):
        yield
