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
    """Sizes of the events of one kind that begin in the window.

    ``values`` ascend; ``counts`` says for how many events each stands: those above the value
    before it, up to and with this one. ``reason`` is given where nothing could be recorded,
    and then there are no values; no values without a reason means that no event happened.
    """

    name: str
    unit: str
    values: Numbers
    counts: Counts
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Series:
    """The course of one quantity. ``times_s`` ascend, relative to the begin of the window.

    Each value holds from its time to the next one. ``reason``: why there is none.
    """

    name: str
    unit: str
    times_s: Numbers
    values: Numbers
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Detail:
    """All of one repetition, in the order of reports."""

    distributions: tuple[Distribution, ...]
    series: tuple[Series, ...]


def no_distribution(name: str, unit: str, reason: str) -> Distribution:
    """A distribution that is not known, and why."""
    return Distribution(name, unit, _NONE, np.zeros(0, np.int64), reason)


def no_series(name: str, unit: str, reason: str) -> Series:
    """A course that is not known, and why."""
    return Series(name, unit, _NONE, _NONE, reason)
