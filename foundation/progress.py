"""Callbacks for progress lines."""

from __future__ import annotations

import sys
from collections.abc import Callable

#: Takes one line for the user: what starts now, or what the suite waits for.
Progress = Callable[[str], None]


def silent(line: str) -> None:
    """A `Progress` that drops every line."""


def to_stderr(line: str) -> None:
    """A `Progress` that keeps standard output for the answer."""
    print(line, file=sys.stderr, flush=True)
