"""Distributions and timelines of a repetition, as plain records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_NONE = np.zeros(0)


@dataclass(frozen=True, eq=False)
class Distribution:
    """Sizes of the events of one kind that start in the window.

    ``values`` ascend; ``counts`` is the number of events that each stands for: those above the
    previous value, up to and including this one. With a ``reason`` nothing could be recorded and
    there are no values; no values without a reason means that no event happened.
    """

    name: str
    unit: str
    values: Numbers
    counts: Counts
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """The course of one quantity. ``times_s`` ascend, relative to the start of the window.

    Each value holds until the next time. ``reason``: why there are no values.
    """

    name: str
    unit: str
    times_s: Numbers
    values: Numbers
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Detail:
    """All distributions and series of one repetition, in report order."""

    distributions: tuple[Distribution, ...]
    series: tuple[Series, ...]


def no_distribution(name: str, unit: str, reason: str) -> Distribution:
    """A distribution that is unknown, and why."""
    return Distribution(name, unit, _NONE, np.zeros(0, np.int64), reason)


def no_series(name: str, unit: str, reason: str) -> Series:
    """A series that is unknown, and why."""
    return Series(name, unit, _NONE, _NONE, reason)
