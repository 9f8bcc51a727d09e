"""Holm's step-down adjustment for the primaries of a scenario."""

from __future__ import annotations

from collections.abc import Mapping


def adjust(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjusted p of each name (S. Holm, 1979); valid for any dependence between the tests.

    A primary without p (its metric could not be known) still counts as one of the tests,
    so that an unknown figure never makes the others easier; its own result stays None.
    """
    ordered = sorted(p_values, key=lambda name: (_or_one(p_values[name]), name))
    adjusted: dict[str, float | None] = {}
    running = 0.0
    for rank, name in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * _or_one(p_values[name])))
        adjusted[name] = None if p_values[name] is None else running
    return {name: adjusted[name] for name in p_values}


def _or_one(p: float | None) -> float:
    return 1.0 if p is None else p
