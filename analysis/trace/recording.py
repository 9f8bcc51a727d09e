"""A trace as the metrics see it: its window, its threads with their roles, its counters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from analysis.trace.figure import Figure, unknown
from foundation.contract import conventions as names
from foundation.contract.needs import Probe
from foundation.contract.threads import Role, role_of
from foundation.errors import TraceError

if TYPE_CHECKING:
    from analysis.trace.framing import FileFacts
    from analysis.trace_processor import TraceSession
    from analysis.trace_processor.messages import Cell

Nanoseconds = npt.NDArray[np.int64]

#: Names in a message.
_SHOWN_THREADS: Final = 15

#: Reasons that several families give.
NO_SCHED: Final = "the trace has no sched_switch events in the window"
NO_SWITCHES: Final = "the trace holds no app switches in the window"
NO_PAGE_SIZE: Final = "the trace does not contain the page size"

#: What enables a tracepoint in a trace config, apart from its own name.
_ENABLERS: Final = {
    "mm_vmscan_direct_reclaim_begin": ("vmscan/*", '"memreclaim"'),
    "mm_vmscan_kswapd_wake": ("vmscan/*", '"memreclaim"'),
    "sched_waking": ("sched/*", '"sched"'),
}


@dataclass(frozen=True)
class Window:
    """The measured time, CLOCK_BOOTTIME ns. ``of_suite`` is false if it is the whole trace."""

    begin: int
    end: int
    of_suite: bool

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.begin) / 1e9


@dataclass(frozen=True)
class Thread:
    """A thread of the trace; ``utid`` is the trace processor's id of it."""

    utid: int
    tid: int
    comm: str
    kernel: bool
    role: Role | None


@dataclass(frozen=True)
class Counter:
    """A counter over the window: first and last value and when they were read (ns).

    ``exact`` is false if they were read up to a polling period before the window's edges.
    """

    first: float
    last: float
    first_ns: int
    last_ns: int
    exact: bool = True


def _sql(module: str, name: str, /, **values: object) -> str:
    """Text of ``<name>.sql`` next to the file ``module``, with ``{placeholders}`` filled in.

    A list of numbers becomes the operand of ``IN (...)``; an empty one matches nothing. Values are
    our own, never text of a trace.
    """
    filled = {
        key: (", ".join(map(str, value)) or "NULL") if isinstance(value, list) else value
        for key, value in values.items()
    }
    return Path(module).with_name(f"{name}.sql").read_text(encoding="utf-8").format(**filled)


class Recording:
    """Lazy facts of one loaded trace; each is queried once.

    ``facts``, if the file has been read already, saves reading it again.
    """

    def __init__(self, session: TraceSession, facts: FileFacts | None = None) -> None:
        self.session = session
        self._facts = facts
        self._figures: dict[Callable[[Recording], dict[str, Figure]], dict[str, Figure]] = {}
        self.path = session.path

    def query(self, module: str, name: str, /, **values: object) -> list[tuple[Cell, ...]]:
        """Rows of ``<name>.sql`` next to the caller's file ``module`` (``__file__``).

        Placeholders are filled from ``values``, which are numbers, lists of numbers or names of our
        own, and from ``begin`` and ``end`` of the window and ``trace_end`` (ns).
        """
        edges = {"begin": self.window.begin, "end": self.window.end, "trace_end": self.bounds[1]}
        return self.session.rows(_sql(module, name, **edges | values))

    def query_ints(self, module: str, name: str, columns: int, /, **values: object) -> Nanoseconds:
        """The same as int64, shape (rows, ``columns``); NULL becomes 0."""
        rows = [[as_int(cell or 0) for cell in row] for row in self.query(module, name, **values)]
        return np.array(rows, dtype=np.int64).reshape(-1, columns)

    def figures(self, compute: Callable[[Recording], dict[str, Figure]]) -> dict[str, Figure]:
        """What a family computes from this recording; computed once, although sums use it again."""
        if compute not in self._figures:
            self._figures[compute] = compute(self)
        return self._figures[compute]

    @functools.cached_property
    def file(self) -> FileFacts:
        """Facts from the bytes of the file; TraceError if it cannot be read."""
        from analysis.trace.framing import read_facts

        return self._facts or read_facts(self.path)

    @property
    def page_size(self) -> int | None:
        """Page size of the device in bytes; None if the trace does not contain it."""
        return self.file.page_size

    @functools.cached_property
    def bounds(self) -> tuple[int, int]:
        """First and last timestamp of the whole trace, ns."""
        ((begin, end),) = self.session.rows("SELECT start_ts, end_ts FROM trace_bounds")
        return as_int(begin), as_int(end)

    @functools.cached_property
    def suite_slices(self) -> list[tuple[int, int, str, str, int | None]]:
        """The suite's own slices: (ts, dur, track name, slice name, arg set)."""
        return [
            (as_int(ts), as_int(dur), str(track), str(name), None if args is None else as_int(args))
            for ts, dur, track, name, args in self.session.rows(_sql(__file__, "suite_slices"))
        ]

    @functools.cached_property
    def window(self) -> Window:
        """The repetition; the whole trace if the suite did not record it.

        TraceError if a trace of the suite has no repetition, several, or one that is cut.
        """
        repetitions = [
            (ts, dur)
            for ts, dur, track, name, _ in self.suite_slices
            if track == names.SUITE_TRACK and name == names.REPETITION_SLICE
        ]
        if not repetitions:
            if self.suite_slices:
                raise self.error("the trace has no repetition", "record the repetition again")
            begin, end = self.bounds
            return Window(begin, end, of_suite=False)
        if len(repetitions) > 1:
            count = len(repetitions)
            raise self.error(f"the trace has {count} repetitions", "give one trace for each repetition")
        ((ts, dur),) = repetitions
        if dur <= 0:
            raise self.error("the repetition never ends: the trace was cut", "record the repetition again")
        return Window(ts, ts + dur, of_suite=True)

    @functools.cached_property
    def capture(self) -> Mapping[str, Cell] | None:
        """What the suite noted about the recording, by ``conventions.CAPTURE_*``.

        None if another recorder made the trace.
        """
        for _, _, track, _, args in self.suite_slices:
            if track == names.CAPTURE_TRACK and args is not None:
                return self.annotations([args])[args]
        return None

    def annotations(self, arg_sets: list[int]) -> dict[int, dict[str, Cell]]:
        """Debug annotations by arg set and name."""
        annotations: dict[int, dict[str, Cell]] = {arg_set: {} for arg_set in arg_sets}
        for arg_set, key, number, text, real in self.session.rows(
            _sql(__file__, "annotations", arg_sets=arg_sets)
        ):
            name = str(key).removeprefix(names.ANNOTATION_PREFIX)
            value = next((cell for cell in (number, text, real) if cell is not None), None)
            annotations[as_int(arg_set)][name] = value
        return annotations

    @functools.cached_property
    def switches(self) -> list[dict[str, Cell]]:
        """Annotations (``conventions.SWITCH_*``) of each app switch that begins in the window."""
        begin, end = self.window.begin, self.window.end
        arg_sets = [
            args
            for ts, _, track, _, args in self.suite_slices
            if track == names.SWITCH_TRACK and args is not None and begin <= ts < end
        ]
        annotations = self.annotations(arg_sets)
        return [annotations[arg_set] for arg_set in arg_sets]

    @functools.cached_property
    def threads(self) -> list[Thread]:
        """Every named thread except the idle ones."""
        return [
            Thread(as_int(utid), as_int(tid), str(comm), bool(kernel), role_of(str(comm)))
            for utid, tid, comm, kernel in self.session.rows(_sql(__file__, "threads"))
        ]

    def with_role(self, *roles: Role) -> list[Thread]:
        """Threads of these roles."""
        return [thread for thread in self.threads if thread.role in roles]

    def names_seen(self) -> str:
        """Names of the kernel threads, or of all threads if parents are unknown, for a message."""
        seen = {thread.comm for thread in self.threads if thread.kernel}
        kind = "kernel threads" if seen else "threads"
        seen = seen or {thread.comm for thread in self.threads}
        if not seen:
            return "the trace names no thread"
        shown = sorted(seen)[:_SHOWN_THREADS]
        more = f" and {len(seen) - len(shown)} more" if len(seen) > len(shown) else ""
        return f"{kind} seen: {', '.join(shown)}{more}"

    @functools.cached_property
    def has_sched(self) -> bool:
        """Whether scheduling was recorded at all inside the window."""
        window = self.window
        inside = f"ts < {window.end} AND (dur < 0 OR ts + dur > {window.begin})"
        return bool(self.session.rows(f"SELECT 1 FROM sched WHERE {inside} LIMIT 1"))

    def event_missing(self, *events: str) -> str | None:
        """Why these tracepoints are unknown; None if all were recorded."""
        missing = [event for event in events if not self.event_recorded(event)]
        return f"the trace does not record {' and '.join(missing)}" if missing else None

    def event_recorded(self, event: str) -> bool:
        """Whether a tracepoint was recorded, so that its absence means that it did not fire."""
        missing = (self.capture or {}).get(names.CAPTURE_MISSING_EVENTS)
        recorded = (self.capture or {}).get(names.CAPTURE_EVENTS)
        if recorded is not None:
            return any(one.rpartition("/")[2] == event for one in str(recorded).split())
        if self.capture is not None:
            # Recorded before the list existed: every event that the kernel had was enabled.
            return all(one.rpartition("/")[2] != event for one in str(missing or "").split())
        if self.session.rows(f"SELECT 1 FROM ftrace_event WHERE name = '{event}' LIMIT 1"):
            return True
        return any(word in self.trace_config for word in (event, *_ENABLERS.get(event, ())))

    def probe_missing(self, *probes: Probe) -> str | None:
        """Why calls of the first of these functions that lacks them were not recorded; None: all were."""
        capture = self.capture or {}
        recorded = {
            entry.partition("=")[0] for entry in str(capture.get(names.CAPTURE_PROBES) or "").split()
        }
        missing = next((probe.name for probe in probes if probe.name not in recorded), None)
        if missing is None:
            return None
        for line in str(capture.get(names.CAPTURE_MISSING_PROBES) or "").splitlines():
            name, _, why = line.partition(": ")
            if name == missing:
                return f"calls of {missing} are not recorded: {why}"
        return f"calls of {missing} are not recorded"

    @functools.cached_property
    def trace_config(self) -> str:
        """The recorder's configuration as text; empty if it is not in the trace."""
        rows = self.session.rows("SELECT str_value FROM metadata WHERE name = 'trace_config_pbtxt'")
        return str(rows[0][0]) if rows else ""

    @functools.cached_property
    def counters(self) -> dict[str, Counter]:
        """Counters over the window by the names of `foundation.contract.conventions`.

        In a trace of the suite from the value at the start of the window to the last one at or
        before its end; in any other, whose counters are Perfetto's own, from first to last.
        Perfetto's own poller fills in what the suite's poller may not read (on a user build).
        """
        if not self.window.of_suite:
            return self._counters("foreign_counters", exact=True)
        filled = self._counters("edge_counters", exact=False, of_suite=0)
        return filled | self._counters("edge_counters", exact=True, of_suite=1)

    def _counters(self, query: str, *, exact: bool, **values: object) -> dict[str, Counter]:
        return {
            str(name): Counter(as_float(first), as_float(last), as_int(first_ns), as_int(last_ns), exact)
            for name, first, last, first_ns, last_ns in self.query(__file__, query, **values)
        }

    def delta(self, counter: str) -> Figure:
        """Last minus first value; unknown if the counter is absent, was read once, or fell."""
        read = self.counters.get(counter)
        if read is None:
            return unknown(f"{counter} is not in the trace")
        if read.last_ns <= read.first_ns:
            return unknown(f"{counter} was read only once")
        if read.last < read.first:
            return unknown(f"{counter} fell from {read.first:.0f} to {read.last:.0f}")
        caution = None if read.exact else f"{counter} was read by Perfetto, not at the window's edges"
        return Figure(read.last - read.first, caution)

    def error(self, what: str, next_step: str) -> TraceError:
        """A TraceError (returned, not raised) that names the file."""
        return TraceError(f"{self.path}: {what}", next_step=next_step)


def as_int(cell: Cell) -> int:
    """A cell that must be an integer; TraceError otherwise."""
    if not isinstance(cell, int):
        raise TraceError(f"the trace processor returned {cell!r} instead of an integer")
    return cell


def as_float(cell: Cell) -> float:
    """A cell that must be a number; TraceError otherwise."""
    if not isinstance(cell, int | float):
        raise TraceError(f"the trace processor returned {cell!r} instead of a number")
    return float(cell)
