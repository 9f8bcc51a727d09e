"""Holm's step-down adjustment for the primaries of a scenario."""

from __future__ import annotations

from collections.abc import Mapping


def adjust(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjusted p of each name (S. Holm, 1979); valid for any dependence between the tests.

    A primary without p (its metric is unknown) still counts as one of the tests, so that an unknown
    figure never makes the others easier; its own result stays None.
    """
    filled = {name: 1.0 if p is None else p for name, p in p_values.items()}
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(sorted(filled, key=lambda name: (filled[name], name))):
        running = max(running, min(1.0, (len(filled) - rank) * filled[name]))
        adjusted[name] = running
    return {name: None if p is None else adjusted[name] for name, p in p_values.items()}
