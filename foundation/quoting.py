"""The only module that turns values into shell text for a device."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from foundation.errors import UsageError

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def quote(word: str) -> str:
    """Return ``word`` as text that every POSIX shell reads as that one word. UsageError for a NUL."""
    if "\0" in word:
        raise UsageError("a NUL character cannot be part of a command line", next_step="push it as a file")
    if _PLAIN.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def quote_argv(argv: Sequence[str]) -> str:
    """Return one command line for ``argv``.

    UsageError for an empty command, and for a plain string, whose letters would become the words.
    """
    if isinstance(argv, str):
        raise UsageError(f"a command is a list of words, not the text '{argv}'")
    if not argv or not argv[0]:
        raise UsageError("a command needs at least a program")
    # The shell would read a first word such as A=B as an assignment.
    first = "'" + argv[0].replace("'", "'\\''") + "'" if "=" in argv[0] else quote(argv[0])
    return " ".join([first, *(quote(word) for word in argv[1:])])
