"""Recorded calls of kernel functions (`Probe`): when each started and ended, and its CPU time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.trace.recording import Nanoseconds, Recording, as_int
from foundation.contract import conventions as names

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calls:
    """Calls of one function in the order of their start; arrays of equal length.

    Times are CLOCK_BOOTTIME ns. ``argument`` and ``result`` are the one value that the probe
    records at entry and at return, 0 if it records none. ``unpaired`` counts events of calls
    whose other end is not in the trace.
    """

    utid: Nanoseconds
    begin: Nanoseconds
    end: Nanoseconds
    argument: Nanoseconds
    result: Nanoseconds
    unpaired: int = field(default=0, kw_only=True)

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def _arrays(self) -> tuple[Nanoseconds, ...]:
        return self.utid, self.begin, self.end, self.argument, self.result

    def where(self, mask: Flags) -> Calls:
        """The calls for which ``mask`` is true."""
        return Calls(*(array[mask] for array in self._arrays))

    def by(self, utids: list[int]) -> Calls:
        """The calls that these threads made."""
        return self.where(np.isin(self.utid, np.array(utids, np.int64)))


def joined(parts: Sequence[Calls]) -> Calls:
    """The calls of all parts in the order of their start."""
    arrays = [np.concatenate(columns) for columns in zip(*(part._arrays for part in parts), strict=True)]
    order = np.argsort(arrays[1], kind="stable")
    return Calls(*(array[order] for array in arrays))


def paired(enters: Nanoseconds, exits: Nanoseconds) -> Calls:
    """Calls from rows of (ts, utid, value), in any order.

    In each thread, a function that does not call itself alternates between entry and return;
    an event that breaks this (a call under way when the recording started) is dropped and counted.
    """
    rows = np.concatenate([enters, exits])
    leaves = np.concatenate([np.zeros(len(enters), bool), np.ones(len(exits), bool)])
    # The entry of a call that took no time comes first.
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
    """Calls of the probe ``name`` in the whole trace.

    ``argument`` and ``result`` name the values to read at entry and at return. With ``cut`` (start and
    end of the trace), a call that crosses one of them is cut there and kept.
    """
    enter, leave = names.probe_events(name)
    enters, exits = _rows(recording, enter, argument), _rows(recording, leave, result)
    return paired(enters, exits) if cut is None else paired(*_cut(enters, exits, *cut))


def _cut(enters: Nanoseconds, exits: Nanoseconds, begin: int, end: int) -> tuple[Nanoseconds, Nanoseconds]:
    """The same events, with the missing ends of the first and the last call of each thread added."""
    for utid in np.unique(np.concatenate([enters, exits])[:, 1]):
        own_enters, own_exits = enters[enters[:, 1] == utid, 0], exits[exits[:, 1] == utid, 0]
        if len(own_exits) and (not len(own_enters) or own_exits.min() < own_enters.min()):
            enters = np.concatenate([enters, [[begin, utid, 0]]])
        if len(own_enters) and (not len(own_exits) or own_enters.max() > own_exits.max()):
            exits = np.concatenate([exits, [[end, utid, 0]]])
    return enters, exits


def _rows(recording: Recording, event: str, value: str) -> Nanoseconds:
    extract = f"extract_arg(arg_set_id, '{value}')" if value else "0"
    rows = recording.query(__file__, "calls", event=event, value=extract)
    # Addresses use all 64 bits; they compare just as well as signed numbers.
    cells = [(as_int(ts), as_int(utid), _signed(as_int(number or 0))) for ts, utid, number in rows]
    return np.array(cells, dtype=np.int64).reshape(-1, 3)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


class CpuClock:
    """CPU time that one thread has used up to any time of the trace."""

    def __init__(self, recording: Recording, utid: int) -> None:
        edges = recording.query_ints(__file__, "on_cpu", 2, utid=utid)
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
    """Index of the call of ``outer`` (in order, not overlapping) in which each time lies; -1 for none."""
    if not len(outer):
        return np.full(len(when), -1, np.int64)
    last = np.searchsorted(outer.begin, when, side="right") - 1
    return np.where((last >= 0) & (when < outer.end[last]), last, -1)


def total_by(outer: int, where: Nanoseconds, values: Numbers) -> Numbers:
    """Sum of ``values`` for each of ``outer`` intervals; ``where`` as `inside` returns it."""
    hit = where >= 0
    return np.bincount(where[hit], weights=values[hit], minlength=outer).astype(np.float64)
