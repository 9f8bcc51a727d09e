"""Recorded calls of kernel functions (`Probe`): when each began and ended, and its CPU time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.trace.recording import sql_of, whole
from foundation.contract import conventions as names

if TYPE_CHECKING:
    from analysis.trace.recording import Recording

Nanoseconds = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calls:
    """Calls of one function, by their begin; arrays of one length.

    Times are CLOCK_BOOTTIME ns. ``argument`` and ``result`` are the one value that the probe
    records at entry and at return, 0 where it records none. ``unpaired`` counts events of a
    call whose other end is not in the trace.
    """

    utid: Nanoseconds
    begin: Nanoseconds
    end: Nanoseconds
    argument: Nanoseconds
    result: Nanoseconds
    unpaired: int = 0

    def __len__(self) -> int:
        return len(self.begin)

    def of(self, chosen: Flags) -> Calls:
        """Those that ``chosen`` marks."""
        return Calls(
            self.utid[chosen],
            self.begin[chosen],
            self.end[chosen],
            self.argument[chosen],
            self.result[chosen],
        )

    def by(self, utids: list[int]) -> Calls:
        """Those made by these threads."""
        return self.of(np.isin(self.utid, np.array(utids, np.int64)))


def joined(parts: Sequence[Calls]) -> Calls:
    """All of them, by their begin."""
    order = np.argsort(np.concatenate([one.begin for one in parts]), kind="stable")
    return Calls(
        np.concatenate([one.utid for one in parts])[order],
        np.concatenate([one.begin for one in parts])[order],
        np.concatenate([one.end for one in parts])[order],
        np.concatenate([one.argument for one in parts])[order],
        np.concatenate([one.result for one in parts])[order],
    )


def paired(enters: Nanoseconds, exits: Nanoseconds) -> Calls:
    """Calls from rows of (ts, utid, value), in any order.

    A function that does not call itself alternates in each thread between entry and return;
    what breaks that (a call under way when the recording began) is left out and counted.
    """
    rows = np.concatenate([enters, exits])
    leaves = np.concatenate([np.zeros(len(enters), bool), np.ones(len(exits), bool)])
    # Where a call took no time its entry comes first.
    order = np.lexsort((leaves, rows[:, 0], rows[:, 1]))
    rows, leaves = rows[order], leaves[order]
    first = np.flatnonzero(~leaves[:-1] & leaves[1:] & (rows[:-1, 1] == rows[1:, 1]))
    begin, end = rows[first], rows[first + 1]
    by_time = np.argsort(begin[:, 0], kind="stable")
    begin, end = begin[by_time], end[by_time]
    return Calls(
        begin[:, 1], begin[:, 0], end[:, 0], begin[:, 2], end[:, 2], unpaired=len(rows) - 2 * len(first)
    )


def calls_of(
    recording: Recording,
    name: str,
    argument: str = "",
    result: str = "",
    *,
    cut: tuple[int, int] | None = None,
) -> Calls:
    """Calls of the probe ``name`` in the whole trace, with a value of each end if it is named.

    With ``cut`` (begin and end of the trace) a call that had begun before, or ended after, is
    cut there and counts.
    """
    enter, leave = names.probe_events(name)
    enters, exits = _rows(recording, enter, argument), _rows(recording, leave, result)
    return paired(enters, exits) if cut is None else paired(*_cut(enters, exits, *cut))


def _cut(enters: Nanoseconds, exits: Nanoseconds, begin: int, end: int) -> tuple[Nanoseconds, Nanoseconds]:
    """The same with the missing ends of the first and the last call of each thread."""
    for utid in np.unique(np.concatenate([enters, exits])[:, 1]):
        own_enters, own_exits = enters[enters[:, 1] == utid, 0], exits[exits[:, 1] == utid, 0]
        if len(own_exits) and (not len(own_enters) or own_exits.min() < own_enters.min()):
            enters = np.concatenate([enters, [[begin, utid, 0]]])
        if len(own_enters) and (not len(own_exits) or own_enters.max() > own_exits.max()):
            exits = np.concatenate([exits, [[end, utid, 0]]])
    return enters, exits


def _rows(recording: Recording, event: str, value: str) -> Nanoseconds:
    extract = f"extract_arg(arg_set_id, '{value}')" if value else "0"
    rows = recording.session.rows(sql_of(__file__, "calls", event=event, value=extract))
    # Addresses use all 64 bits, and compare as well when they are read as signed.
    cells = [(whole(ts), whole(utid), _signed(whole(number or 0))) for ts, utid, number in rows]
    return np.array(cells, dtype=np.int64).reshape(-1, 3)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


class CpuClock:
    """How long one thread has been on a CPU at any time of the trace."""

    def __init__(self, recording: Recording, utid: int) -> None:
        query = sql_of(__file__, "on_cpu", utid=utid, trace_end=recording.bounds[1])
        cells = [(whole(begin), whole(end)) for begin, end in recording.session.rows(query)]
        edges = np.array(cells, dtype=np.int64).reshape(-1, 2)
        ran = np.cumsum(edges[:, 1] - edges[:, 0])
        self._times = edges.reshape(-1).astype(np.float64)
        self._ran = np.column_stack([np.concatenate([[0], ran[:-1]]), ran]).reshape(-1) if len(ran) else ran

    def between(self, begin: Nanoseconds, end: Nanoseconds) -> Numbers:
        """CPU time in ns of each interval."""
        if not len(self._times):
            return np.zeros(len(begin))
        ran: Numbers = np.interp(end, self._times, self._ran) - np.interp(begin, self._times, self._ran)
        return ran


def inside(outer: Calls, when: Nanoseconds) -> Nanoseconds:
    """Which of ``outer`` (not overlapping, in order) each time lies in; -1 for none."""
    if not len(outer):
        return np.full(len(when), -1, np.int64)
    found = np.searchsorted(outer.begin, when, side="right") - 1
    return np.where((found >= 0) & (when < outer.end[found]), found, -1)


def total_by(outer: int, where: Nanoseconds, values: Numbers) -> Numbers:
    """Sum of ``values`` for each of ``outer`` intervals; ``where`` as `inside` gives it."""
    hit = where >= 0
    return np.bincount(where[hit], weights=values[hit], minlength=outer).astype(np.float64)
