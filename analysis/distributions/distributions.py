"""Single latencies of a trace: every direct reclaim, every app switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from analysis.distributions.names import DIRECT_RECLAIM, SWITCHES
from analysis.distributions.records import Distribution, Numbers, no_distribution
from analysis.trace.recording import NO_SWITCHES, Recording
from foundation.contract import conventions

#: Up to this many events all are kept; of more, evenly spaced ranks and the largest ones.
_EXACT: Final = 500
_EVEN: Final = 400
_LARGEST: Final = 100
_DIGITS: Final = 5


def distributions(recording: Recording) -> tuple[Distribution, ...]:
    """Direct reclaim and each class of app switch, in ms."""
    return (_direct_reclaim(recording), *_switches(recording))


def stepped(name: str, unit: str, values: Sequence[float] | Numbers) -> Distribution:
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
    why = recording.event_missing("mm_vmscan_direct_reclaim_begin")
    if why is not None:
        return no_distribution(DIRECT_RECLAIM, "ms", why)
    lengths = recording.query_ints(__file__, "direct_reclaim_lengths", 1)[:, 0] / 1e6
    return stepped(DIRECT_RECLAIM, "ms", lengths)


def _switches(recording: Recording) -> list[Distribution]:
    if not recording.switches:
        return [no_distribution(name, "ms", NO_SWITCHES) for name in SWITCHES.values()]
    latencies: dict[str, list[float]] = {launch_class: [] for launch_class in SWITCHES}
    for switch in recording.switches:
        launch_class = str(switch.get(conventions.SWITCH_LAUNCH_STATE, "")).lower()
        latency = switch.get(conventions.SWITCH_TOTAL_TIME_MS)
        if launch_class in latencies and isinstance(latency, int | float):
            latencies[launch_class].append(float(latency))
    return [stepped(SWITCHES[launch_class], "ms", values) for launch_class, values in latencies.items()]
