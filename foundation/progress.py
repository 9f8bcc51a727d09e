"""Callbacks for progress lines."""

from __future__ import annotations

from collections.abc import Callable

#: Takes one line for the user: what starts now, or what the suite waits for.
Progress = Callable[[str], None]


def silent(line: str) -> None:
    """A `Progress` that drops every line."""
