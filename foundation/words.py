"""Suggestions for mistyped words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Share of a word that must agree. difflib's default of 0.6 misses swapped letters in a word of five.
_CUTOFF = 0.5


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most similar to ``word``, or None if none is similar."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=_CUTOFF)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """The next step for a mistyped word: the nearest known one, else ``otherwise``, else the whole list."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean '{near}'?"
    return otherwise or f"known: {', '.join(words)}"
