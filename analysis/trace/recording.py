"""A trace as the metrics see it: its window, its threads with their roles, its counters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.trace.figure import Figure, unknown
from foundation.contract import conventions as names
from foundation.contract.threads import Role, role_of
from foundation.errors import TraceError

if TYPE_CHECKING:
    from analysis.trace.framing import FileFacts
    from analysis.trace_processor import TraceSession
    from analysis.trace_processor.messages import Cell

_SHOWN_THREADS: Final = 15

#: What switches a tracepoint on, in a trace config, besides its own name.
_ENABLERS: Final = {
    "mm_vmscan_direct_reclaim_begin": ("vmscan/*", '"memreclaim"'),
    "mm_vmscan_kswapd_wake": ("vmscan/*", '"memreclaim"'),
    "sched_waking": ("sched/*", '"sched"'),
}


@dataclass(frozen=True)
class Window:
    """The measured time, CLOCK_BOOTTIME ns. ``of_suite`` is false where it is the whole trace."""

    begin: int
    end: int
    of_suite: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.begin) / 1e9


@dataclass(frozen=True)
class Thread:
    """A thread of the trace; ``utid`` is the trace processor's number for it."""

    utid: int
    tid: int
    comm: str
    kernel: bool
    role: Role | None


@dataclass(frozen=True)
class Counter:
    """A counter over the window: first and last value and when they were read (ns).

    ``exact`` is false where they were read up to a polling period before the window's edges.
    """

    first: float
    last: float
    first_ns: int
    last_ns: int
    exact: bool = True


def sql_of(beside: str, name: str, **values: object) -> str:
    """Text of ``<name>.sql`` in the folder of the module ``beside``, with ``{placeholders}`` filled in.

    ``beside`` is the caller's ``__file__``. Values are numbers and lists of numbers of our own
    making, never text of a trace.
    """
    return Path(beside).with_name(f"{name}.sql").read_text(encoding="utf-8").format(**values)


def sql_list(numbers: list[int]) -> str:
    """Numbers for ``IN (...)``; an empty list matches nothing."""
    return ", ".join(map(str, numbers)) or "NULL"


class Recording:
    """Lazy facts of one loaded trace; each is asked for once.

    ``facts`` of its file save walking it again.
    """

    def __init__(self, session: TraceSession, facts: FileFacts | None = None) -> None:
        self.session = session
        self._facts = facts
        self._figures: dict[Callable[[Recording], dict[str, Figure]], dict[str, Figure]] = {}
        self.path = session.path

    def figures(self, compute: Callable[[Recording], dict[str, Figure]]) -> dict[str, Figure]:
        """What a family computes of this recording; asked for once, though sums ask again."""
        if compute not in self._figures:
            self._figures[compute] = compute(self)
        return self._figures[compute]

    @functools.cached_property
    def file(self) -> FileFacts:
        """What the bytes of the file say; TraceError if it cannot be read."""
        from analysis.trace.framing import read_facts

        return self._facts or read_facts(self.path)

    @property
    def page_size(self) -> int | None:
        """Bytes of a page of the device; None where the trace does not say it."""
        return self.file.page_size

    @functools.cached_property
    def bounds(self) -> tuple[int, int]:
        """First and last timestamp of the whole trace, ns."""
        ((begin, end),) = self.session.rows("SELECT start_ts, end_ts FROM trace_bounds")
        return whole(begin), whole(end)

    @functools.cached_property
    def suite_slices(self) -> list[tuple[int, int, str, str, int | None]]:
        """The suite's own slices: (ts, dur, track name, slice name, arg set)."""
        return [
            (whole(ts), whole(dur), str(track), str(name), None if args is None else whole(args))
            for ts, dur, track, name, args in self.session.rows(sql_of(__file__, "suite_slices"))
        ]

    @functools.cached_property
    def window(self) -> Window:
        """The repetition; the whole trace if the suite did not record it.

        TraceError if a trace of the suite has no repetition, several, or one that is cut.
        """
        found = [
            (ts, dur)
            for ts, dur, track, name, _ in self.suite_slices
            if track == names.SUITE_TRACK and name == names.REPETITION_SLICE
        ]
        if not found:
            if self.suite_slices:
                raise self.error("the trace has no repetition", "record the repetition again")
            begin, end = self.bounds
            return Window(begin, end, of_suite=False)
        if len(found) > 1:
            raise self.error(
                f"the trace has {len(found)} repetitions", "give one trace for each repetition"
            )
        ((ts, dur),) = found
        if dur <= 0:
            raise self.error("the repetition never ends: the trace was cut", "record the repetition again")
        return Window(ts, ts + dur, of_suite=True)

    @functools.cached_property
    def capture(self) -> Mapping[str, Cell] | None:
        """The suite's facts of the recording by ``conventions.CAPTURE_*``; None for another's trace."""
        for _, _, track, _, args in self.suite_slices:
            if track == names.CAPTURE_TRACK and args is not None:
                return self.annotations([args])[args]
        return None

    def annotations(self, arg_sets: list[int]) -> dict[int, dict[str, Cell]]:
        """Debug annotations by arg set and name."""
        found: dict[int, dict[str, Cell]] = {arg_set: {} for arg_set in arg_sets}
        for arg_set, key, number, text, real in self.session.rows(
            sql_of(__file__, "annotations", arg_sets=sql_list(arg_sets))
        ):
            name = str(key).removeprefix(names.ANNOTATION_PREFIX)
            value = next((cell for cell in (number, text, real) if cell is not None), None)
            found[whole(arg_set)][name] = value
        return found

    @functools.cached_property
    def threads(self) -> list[Thread]:
        """Every thread with a name, but for the idle ones."""
        return [
            Thread(whole(utid), whole(tid), str(comm), bool(kernel), role_of(str(comm)))
            for utid, tid, comm, kernel in self.session.rows(sql_of(__file__, "threads"))
        ]

    def with_role(self, *roles: Role) -> list[Thread]:
        """Threads of these roles."""
        return [thread for thread in self.threads if thread.role in roles]

    def names_seen(self) -> str:
        """Names of the kernel threads (of all threads, where parents are unknown), for a message."""
        seen = {thread.comm for thread in self.threads if thread.kernel}
        kind = "kernel threads" if seen else "threads"
        seen = seen or {thread.comm for thread in self.threads}
        if not seen:
            return "no thread is named in it"
        shown = sorted(seen)[:_SHOWN_THREADS]
        more = f" and {len(seen) - len(shown)} more" if len(seen) > len(shown) else ""
        return f"{kind} seen: {', '.join(shown)}{more}"

    @functools.cached_property
    def has_sched(self) -> bool:
        """Whether scheduling was recorded at all inside the window."""
        window = self.window
        inside = f"ts < {window.end} AND (dur < 0 OR ts + dur > {window.begin})"
        return bool(self.session.rows(f"SELECT 1 FROM sched WHERE {inside} LIMIT 1"))

    def event_recorded(self, event: str) -> bool:
        """Whether a tracepoint was recorded, so that none of it means that it did not happen."""
        missing = (self.capture or {}).get(names.CAPTURE_MISSING_EVENTS)
        recorded = (self.capture or {}).get(names.CAPTURE_EVENTS)
        if recorded is not None:
            return any(one.rpartition("/")[2] == event for one in str(recorded).split())
        if self.capture is not None:
            # A recording of before the list of events: it was asked for all that there were.
            return all(one.rpartition("/")[2] != event for one in str(missing or "").split())
        if self.session.rows(f"SELECT 1 FROM ftrace_event WHERE name = '{event}' LIMIT 1"):
            return True
        return any(word in self.trace_config for word in (event, *_ENABLERS.get(event, ())))

    def probe_missing(self, probe: str) -> str | None:
        """Why calls of a kernel function were not recorded; None where they were."""
        capture = self.capture or {}
        recorded = str(capture.get(names.CAPTURE_PROBES) or "").split()
        if any(one.partition("=")[0] == probe for one in recorded):
            return None
        for line in str(capture.get(names.CAPTURE_MISSING_PROBES) or "").splitlines():
            name, _, why = line.partition(": ")
            if name == probe:
                return f"calls of {probe} are not recorded: {why}"
        return f"calls of {probe} are not recorded"

    @functools.cached_property
    def trace_config(self) -> str:
        """The recorder's configuration as text; empty if it is not in the trace."""
        rows = self.session.rows("SELECT str_value FROM metadata WHERE name = 'trace_config_pbtxt'")
        return str(rows[0][0]) if rows else ""

    @functools.cached_property
    def counters(self) -> dict[str, Counter]:
        """Counters over the window by the names of `foundation.contract.conventions`.

        In a trace of the suite from the value at the window's begin to the last one at or
        before its end; in another's, whose counters are Perfetto's own, from first to last.
        What the suite's poller may not read (on a user build) Perfetto's own poller fills in.
        """
        window = self.window
        if not window.of_suite:
            return self._counters(sql_of(__file__, "foreign_counters"), exact=True)
        edges = {"begin": window.begin, "end": window.end}
        filled = self._counters(sql_of(__file__, "perfetto_counters", **edges), exact=False)
        return filled | self._counters(sql_of(__file__, "suite_counters", **edges), exact=True)

    def _counters(self, query: str, *, exact: bool) -> dict[str, Counter]:
        return {
            str(name): Counter(real(first), real(last), whole(first_ns), whole(last_ns), exact)
            for name, first, last, first_ns, last_ns in self.session.rows(query)
        }

    def delta(self, counter: str) -> Figure:
        """Last minus first value; unknown where the counter is absent, was read once, or fell."""
        found = self.counters.get(counter)
        if found is None:
            return unknown(f"{counter} is not in the trace")
        if found.last_ns <= found.first_ns:
            return unknown(f"{counter} was read only once")
        if found.last < found.first:
            return unknown(f"{counter} fell from {found.first:.0f} to {found.last:.0f}")
        caution = None if found.exact else f"{counter} was read by Perfetto, not at the window's edges"
        return Figure(found.last - found.first, caution)

    def error(self, what: str, next_step: str) -> TraceError:
        """A TraceError that names the file."""
        return TraceError(f"{self.path}: {what}", next_step=next_step)


def whole(cell: Cell) -> int:
    """A cell that must be a whole number."""
    if not isinstance(cell, int):
        raise TraceError(f"the trace processor answered {cell!r} where a number belongs")
    return cell


def real(cell: Cell) -> float:
    """A cell that must be a number."""
    if not isinstance(cell, int | float):
        raise TraceError(f"the trace processor answered {cell!r} where a number belongs")
    return float(cell)
