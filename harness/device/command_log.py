"""Every command sent to a device, for a person who wants to see them (``-v``)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from foundation.errors import SuiteError

#: Takes a line for each command; may be called from several threads.
Listener = Callable[[str], None]

#: Longest part of a script that a line shows; its whole text is in the code.
_SHOWN: Final = 240

# Not the logging module: pytest would show all of it again below each failure.
_listeners: Final[list[Listener]] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Pass each command from now on to ``listener``; call the result to stop."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


@dataclass
class LoggedCommand:
    """How the command of a `log_command` block ended; set inside the block."""

    outcome: str = "done"


@contextlib.contextmanager
def log_command(device: str, command: str) -> Iterator[LoggedCommand]:
    """Pass ``command`` to the listeners with its duration and outcome.

    An exception in the block is its outcome, by the name of its class.
    """
    logged = LoggedCommand()
    begun_s = time.monotonic()
    try:
        yield logged
    except (SuiteError, KeyboardInterrupt) as error:
        logged.outcome = type(error).__name__
        raise
    finally:
        dur_s = time.monotonic() - begun_s
        for listener in tuple(_listeners):
            listener(f"[{device}] {shorten(command, _SHOWN)}  ({dur_s:.3f} s, {logged.outcome})")


def shorten(command: str, limit: int = 120) -> str:
    """``command`` on one line of at most ``limit`` characters, for a message."""
    line = " ".join(command.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
