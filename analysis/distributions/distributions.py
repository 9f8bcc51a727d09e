"""Single latencies of a trace: every direct reclaim, every app switch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from analysis.distributions.names import DIRECT_RECLAIM, SWITCHES
from analysis.distributions.records import Distribution, no_distribution
from analysis.trace.recording import Recording, real, sql_list
from foundation.contract import conventions

#: Up to so many events each is kept; of more, ranks at even steps and the largest ones.
_EXACT: Final = 500
_EVEN: Final = 400
_LARGEST: Final = 100
_DIGITS: Final = 5

_DIRECT_SQL: Final = (Path(__file__).parent / "direct_reclaim_lengths.sql").read_text(encoding="utf-8")


def distributions(recording: Recording) -> tuple[Distribution, ...]:
    """Direct reclaim and each class of app switch, in ms."""
    return (_direct_reclaim(recording), *_switches(recording))


def stepped(name: str, unit: str, values: Sequence[float]) -> Distribution:
    """A distribution of these events. The share of events up to a kept value is exact."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    total = len(ordered)
    if total <= _EXACT:
        ranks = np.arange(1, total + 1)
    else:
        even = np.linspace(1, total - _LARGEST, _EVEN).astype(np.int64)
        ranks = np.unique(np.concatenate([even, np.arange(total - _LARGEST, total) + 1]))
    kept = np.array([float(f"{value:.{_DIGITS}g}") for value in ordered[ranks - 1]])
    return Distribution(name, unit, kept, np.diff(ranks, prepend=0).astype(np.int64))


def _direct_reclaim(recording: Recording) -> Distribution:
    if not recording.event_recorded("mm_vmscan_direct_reclaim_begin"):
        why = "the trace does not record mm_vmscan_direct_reclaim_begin"
        return no_distribution(DIRECT_RECLAIM, "ms", why)
    window = recording.window
    own = sql_list([thread.utid for thread in recording.with_role("compression")])
    query = _DIRECT_SQL.format(own=own, begin=window.begin, end=window.end)
    lengths = [real(dur) / 1e6 for (dur,) in recording.session.rows(query)]
    return stepped(DIRECT_RECLAIM, "ms", lengths)


def _switches(recording: Recording) -> list[Distribution]:
    window = recording.window
    slices = [
        args
        for ts, _, track, _, args in recording.suite_slices
        if track == conventions.SWITCH_TRACK and args is not None and window.begin <= ts < window.end
    ]
    if not slices:
        why = "the trace holds no app switches in the window"
        return [no_distribution(name, "ms", why) for name in SWITCHES.values()]
    found: dict[str, list[float]] = {launch_class: [] for launch_class in SWITCHES}
    for facts in recording.annotations(slices).values():
        launch_class = str(facts.get(conventions.SWITCH_LAUNCH_STATE, "")).lower()
        latency = facts.get(conventions.SWITCH_TOTAL_TIME_MS)
        if launch_class in found and isinstance(latency, int | float):
            found[launch_class].append(float(latency))
    return [stepped(SWITCHES[launch_class], "ms", values) for launch_class, values in found.items()]
