"""What was asked of a device, for a person who wants to see every command (``-v``)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from foundation.errors import SuiteError

#: Takes a line for each command; may be called from several threads.
Listener = Callable[[str], None]

#: A script is shown up to here; its whole text is in the code.
_SHOWN: Final = 240

# Not the logging module: pytest would show all of it again below each failure.
_listeners: Final[list[Listener]] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Tell ``listener`` every command from now on, until what is returned is called."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


@dataclass
class Noted:
    """How the command of a `noting` block came out, set inside the block."""

    outcome: str = "done"


@contextlib.contextmanager
def noting(device: str, command: str) -> Iterator[Noted]:
    """Tell the listeners ``command``, as it is sent, with its duration and how it ended.

    An exception of the block is its outcome, by the name of its class.
    """
    noted = Noted()
    begun_s = time.monotonic()
    try:
        yield noted
    except (SuiteError, KeyboardInterrupt) as error:
        noted.outcome = type(error).__name__
        raise
    finally:
        if _listeners:
            dur_s = time.monotonic() - begun_s
            line = " ".join(command.split())
            shown = line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
            for listener in tuple(_listeners):
                listener(f"[{device}] {shown}  ({dur_s:.3f} s, {noted.outcome})")
