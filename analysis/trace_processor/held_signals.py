"""Signals that must not raise inside a callback of compiled code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_HELD: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_held() -> Iterator[None]:
    """Handlers of SIGINT and SIGTERM that are Python run after the block, and not in the midst of it.

    An exception that one raises while wasmtime has called back into Python unwinds through compiled
    code; about one Ctrl-C in three ended the process with SIGSEGV that way. Python runs handlers
    in the main thread only; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {number: signal.getsignal(number) for number in _HELD}
    held = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in held:
        signal.signal(number, lambda signum, frame: came.append((signum, frame)))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for signum, frame in came[:1]:
            held[signal.Signals(signum)](signum, frame)
