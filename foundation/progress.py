"""Callbacks that take a line of progress."""

from __future__ import annotations

from collections.abc import Callable

#: Takes one line for whoever watches: what begins now, or what is waited for.
Progress = Callable[[str], None]


def silent(line: str) -> None:
    """The `Progress` of a caller that nobody watches."""
