"""Reclaim in a trace as tracks to look at and moments to go to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from analysis.perfetto_ui.packets import CounterTrack, Slice, SliceTrack, Track
from analysis.trace.recording import as_float, as_int

if TYPE_CHECKING:
    from analysis.trace_processor import TraceSession
    from analysis.trace_processor.messages import Cell

Kind = Literal["repetition", "switch", "stall"]

GROUP: Final = "Reclaim"
PHASES: Final = "reclaim phases"
SWITCHES: Final = "switch windows"
MOMENTS: Final = "moments"
DIRECT: Final = "direct reclaims"
WAITING: Final = "pages waiting to be compressed"
IN_FLIGHT: Final = "pages in flight"
SWAP_OUT: Final = "swap-out"
SWAP_IN: Final = "swap-in"

#: Roles whose direct reclaims do not stall an app.
_NOT_APP_ROLES: Final = "('reclaim', 'compression')"


@dataclass(frozen=True)
class Moment:
    """A time span to look at, in ns of the trace's clock, and its description."""

    kind: Kind
    ts: int
    dur: int
    label: str


@dataclass(frozen=True)
class Switch:
    """One app switch in the measured window. ``ms`` is the launch time, None where it is unknown."""

    index: int
    ts: int
    dur: int
    package: str
    state: str
    ms: float | None

    @property
    def label(self) -> str:
        """Such as ``#13 suite.camera HOT 500 ms``."""
        shown = "no time" if self.ms is None else f"{self.ms:,.0f} ms"
        return f"#{self.index} {self.package} {self.state} {shown}"


@dataclass(frozen=True)
class Derived:
    """What one trace gets: tracks to append, threads to pin (``comm tid``), moments to go to."""

    tracks: tuple[Track, ...]
    threads: tuple[str, ...]
    window: Moment
    switches: tuple[Switch, ...]
    stall: Moment | None

    @property
    def slowest_switch(self) -> Switch | None:
        """The switch with the longest launch time; None if none has a time."""
        return _slowest(self.switches)

    def switch(self, index: int) -> Switch | None:
        """The switch at that place of the workload, from 0; None if it is not in the window."""
        return next((switch for switch in self.switches if switch.index == index), None)


def _slowest(switches: Sequence[Switch]) -> Switch | None:
    timed = [switch for switch in switches if switch.ms is not None]
    return max(timed, key=lambda switch: switch.ms or 0.0, default=None)


def derive(session: TraceSession) -> Derived:
    """The tracks and moments of a loaded trace. Tracks without recorded events are omitted."""
    ((start, length),) = _rows(session, "window", "SELECT ts, dur FROM reclaim_window")
    window = Moment("repetition", as_int(start), as_int(length), "the whole repetition")
    threads = _rows(session, "threads", "SELECT comm, tid, role FROM reclaim_thread WHERE role IS NOT NULL")
    switches = _switches(session)
    stalls = _stalls(session)
    stall = _longest(stalls, window)
    awake = _awake(session)
    tracks: list[Track] = [
        SliceTrack(MOMENTS, _moments(window, switches, stall)),
        SliceTrack(SWITCHES, [Slice(one.ts, max(one.dur, 0), one.label) for one in switches]),
        SliceTrack(PHASES, _phases([part for parts in awake.values() for part in parts], stalls)),
        *(SliceTrack(f"{comm} awake", parts) for comm, parts in awake.items()),
        SliceTrack(DIRECT, stalls),
        *_queue(session),
        *_rates(session),
    ]
    return Derived(
        tracks=tuple(
            track for track in tracks if (track.slices if isinstance(track, SliceTrack) else track.points)
        ),
        threads=tuple(f"{comm!s} {tid!s}" for comm, tid, _ in threads),
        window=window,
        switches=tuple(switches),
        stall=stall,
    )


def _rows(session: TraceSession, module: str, query: str) -> list[tuple[Cell, ...]]:
    return session.rows(f"INCLUDE PERFETTO MODULE reclaim.{module};\n{query}")


def _switches(session: TraceSession) -> list[Switch]:
    query = (
        "SELECT COALESCE(switch_index, 0), ts, dur, package, COALESCE(launch_state, ''), total_time_ms"
        " FROM reclaim_switch WHERE in_window ORDER BY ts"
    )
    return [
        Switch(
            as_int(index),
            as_int(ts),
            as_int(dur),
            str(package),
            str(state),
            None if ms is None else as_float(ms),
        )
        for index, ts, dur, package, state, ms in _rows(session, "switches", query)
    ]


def _stalls(session: TraceSession) -> list[Slice]:
    query = (
        "SELECT d.ts, d.dur, COALESCE(t.comm, '?'), COALESCE(t.tid, 0) FROM reclaim_direct AS d"
        " LEFT JOIN reclaim_thread AS t USING (utid)"
        f" WHERE d.dur >= 0 AND COALESCE(d.role, '') NOT IN {_NOT_APP_ROLES} ORDER BY d.ts"
    )
    return [
        Slice(as_int(ts), as_int(dur), f"{comm!s} {tid!s}")
        for ts, dur, comm, tid in _rows(session, "direct", query)
    ]


def _longest(stalls: Sequence[Slice], window: Moment) -> Moment | None:
    inside = [one for one in stalls if window.ts <= one.ts < window.ts + window.dur]
    longest = max(inside, key=lambda one: one.dur, default=None)
    if longest is None:
        return None
    label = f"direct reclaim of {longest.name}, {longest.dur / 1e6:,.1f} ms"
    return Moment("stall", longest.ts, longest.dur, label)


def _awake(session: TraceSession) -> dict[str, list[Slice]]:
    """Awake spans by thread. kswapd reports a wakeup for each round, so adjoining rows are merged."""
    query = (
        "SELECT t.comm, k.ts, k.dur FROM reclaim_kswapd_awake AS k"
        " JOIN reclaim_thread AS t USING (utid) ORDER BY t.comm, k.ts"
    )
    by_thread: dict[str, list[Slice]] = {}
    for comm, ts, dur in _rows(session, "kswapd", query):
        spans = by_thread.setdefault(str(comm), [])
        start, end = as_int(ts), as_int(ts) + as_int(dur)
        if spans and spans[-1].ts + spans[-1].dur == start:
            start = spans.pop().ts
        spans.append(Slice(start, end - start, "awake"))
    return by_thread


def _phases(awake: Sequence[Slice], direct: Sequence[Slice]) -> list[Slice]:
    """Who reclaims at a time: kswapd, threads in direct reclaim, or both."""
    steps = sorted(
        step
        for who, parts in enumerate((awake, direct))
        for one in parts
        for step in ((one.ts, who, 1), (one.ts + one.dur, who, -1))
    )
    open_now = [0, 0]
    phases: list[Slice] = []
    names = {(True, False): "kswapd", (False, True): "direct", (True, True): "kswapd and direct"}
    for (ts, who, change), following in pairwise(steps):
        open_now[who] += change
        name = names.get((open_now[0] > 0, open_now[1] > 0))
        until = following[0]
        if name is None or until == ts:
            continue
        if phases and phases[-1].name == name and phases[-1].ts + phases[-1].dur == ts:
            ts = phases.pop().ts
        phases.append(Slice(ts, until - ts, name))
    return phases


def _queue(session: TraceSession) -> list[Track]:
    rows = [
        (as_int(ts), as_float(waiting), as_float(flight))
        for ts, waiting, flight in _rows(
            session, "queue", "SELECT ts, waiting, in_flight FROM reclaim_queue_depth ORDER BY ts"
        )
    ]
    return [
        CounterTrack(WAITING, "pages", _changes((ts, waiting) for ts, waiting, _ in rows)),
        CounterTrack(IN_FLIGHT, "pages", _changes((ts, flight) for ts, _, flight in rows)),
    ]


def _changes(points: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    kept: list[tuple[int, float]] = []
    for ts, value in points:
        if not kept or kept[-1][1] != value:
            kept.append((ts, value))
    return kept


def _rates(session: TraceSession) -> list[Track]:
    """Pages per second between samples: a rate is easier to read than a counter since boot."""
    tracks: list[Track] = []
    for name, key in ((SWAP_OUT, "pswpout"), (SWAP_IN, "pswpin")):
        samples = [
            (as_int(ts), as_float(value))
            for ts, value in _rows(
                session,
                "counters",
                f"SELECT ts, MAX(value) FROM reclaim_counter WHERE name = 'vmstat.{key}'"
                " GROUP BY ts ORDER BY ts",
            )
        ]
        points = [
            (before, (there - here) * 1e9 / (after - before))
            for (before, here), (after, there) in pairwise(samples)
        ]
        if points:
            points.append((samples[-1][0], 0.0))
        tracks.append(CounterTrack(name, "pages/s", points))
    return tracks


def _moments(window: Moment, switches: Sequence[Switch], stall: Moment | None) -> list[Slice]:
    slices = [Slice(window.ts, window.dur, window.label)] if window.dur > 0 else []
    slowest = _slowest(switches)
    if slowest is not None:
        slices.append(Slice(slowest.ts, max(slowest.dur, 0), f"slowest switch: {slowest.label}"))
    if stall is not None:
        slices.append(Slice(stall.ts, stall.dur, f"longest {stall.label}"))
    return slices
