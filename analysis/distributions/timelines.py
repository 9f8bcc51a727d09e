"""The course of a repetition: who had the CPU, who waited, how full the queue and the memory were.

What comes from events is given in steps of equal length (`step_s`), what is polled at the times of
the samples.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.distributions.names import SERIES
from analysis.distributions.records import Numbers, Series, no_series
from analysis.trace.recording import (
    Recording,
    Window,
    real,
    sql_list,
)
from foundation.contract import conventions as names
from foundation.contract.threads import Role

#: A window is cut into at most so many steps.
_MOST_STEPS: Final = 400
_STEPS_S: Final = tuple(base * 10.0**power for power in range(-3, 3) for base in (1, 2, 5))
_DIGITS: Final = 4

_HERE: Final = Path(__file__).parent
_QUEUED: Final = "/queued"
_DONE: Final = "/done"

_NO_THREAD: Final[dict[Role, str]] = {"reclaim": "no kswapd", "compression": "no compression thread"}

Nanoseconds = npt.NDArray[np.int64]


def timelines(recording: Recording) -> tuple[Series, ...]:
    """A series for each of `SERIES` over the window."""
    return (
        _cpu(recording, "kswapd_cpu_share", "reclaim"),
        _cpu(recording, "compression_cpu_share", "compression"),
        _queue(recording),
        _free_memory(recording),
        _psi(recording),
        _direct_reclaim(recording),
    )


def step_s(window_s: float) -> float:
    """Length of a step: 1, 2 or 5 times a power of ten, at most `_MOST_STEPS` of them in the window."""
    return next((step for step in _STEPS_S if window_s / step <= _MOST_STEPS), window_s / _MOST_STEPS)


def in_steps(begin: Nanoseconds, end: Nanoseconds, window: Window) -> tuple[Numbers, Numbers]:
    """How many intervals are open on average in each step of the window, and where the steps begin (s).

    The last step may be short; its mean is over what there is of it.
    """
    step_ns = step_s(window.seconds) * 1e9
    length = window.end - window.begin
    count = max(1, math.ceil(length / step_ns - 1e-9))
    edges = np.minimum(np.arange(count + 1) * step_ns, length)
    opened = np.sort(np.clip(begin - window.begin, 0, length)).astype(np.float64)
    closed = np.sort(np.clip(end - window.begin, 0, length)).astype(np.float64)
    before = _time_before(opened, edges) - _time_before(closed, edges)
    return edges[:-1] / 1e9, np.diff(before) / np.diff(edges)


def _time_before(times: Numbers, edges: Numbers) -> Numbers:
    """For each edge, the sum over ``times`` (ascending) of how long each lies before it."""
    sums = np.concatenate([[0.0], np.cumsum(times)])
    earlier = np.searchsorted(times, edges, "right")
    passed: Numbers = earlier * edges - sums[earlier]
    return passed


def _series(name: str, times_s: Numbers, values: Numbers) -> Series:
    rounded = np.array([float(f"{value:.{_DIGITS}g}") for value in values], dtype=np.float64)
    return Series(name, SERIES[name], np.round(times_s, 6), rounded)


def _unknown(name: str, reason: str) -> Series:
    return no_series(name, SERIES[name], reason)


def _table(recording: Recording, query: str, columns: int, **values: object) -> Nanoseconds:
    text = (_HERE / f"{query}.sql").read_text(encoding="utf-8").format(**values)
    rows = recording.session.rows(text)
    return np.array(rows, dtype=np.int64).reshape(-1, columns)


def _cpu(recording: Recording, name: str, role: Role) -> Series:
    if not recording.has_sched:
        return _unknown(name, "the trace has no sched_switch events in the window")
    threads = recording.with_role(role)
    if not threads:
        return _unknown(name, _NO_THREAD[role])
    window = recording.window
    ran = _table(
        recording,
        "on_cpu_intervals",
        2,
        utids=sql_list([thread.utid for thread in threads]),
        begin=window.begin,
        end=window.end,
        trace_end=recording.bounds[1],
    )
    times, share = in_steps(ran[:, 0], ran[:, 1], window)
    return _series(name, times, share * 100)


def _direct_reclaim(recording: Recording) -> Series:
    name = "direct_reclaim_tasks"
    if not recording.event_recorded("mm_vmscan_direct_reclaim_begin"):
        return _unknown(name, "the trace does not record mm_vmscan_direct_reclaim_begin")
    window = recording.window
    open_ = _table(
        recording,
        "direct_reclaim_intervals",
        2,
        own=sql_list([thread.utid for thread in recording.with_role("compression")]),
        begin=window.begin,
        end=window.end,
        trace_end=recording.bounds[1],
    )
    return _series(name, *in_steps(open_[:, 0], open_[:, 1], window))


def _queue(recording: Recording) -> Series:
    """Pages between offer and end of compression; sampled where single pages were not traced."""
    name = "queue_pages"
    window = recording.window
    if recording.event_recorded("kcompressd_done"):
        # In flight is known of pages that were finished in the trace.
        flown = _table(recording, "queue_intervals", 2)
        return _series(name, *in_steps(flown[:, 0], flown[:, 1], window))
    prefix = names.extra("")
    pairs = {
        counter.removesuffix(_QUEUED)
        for counter in recording.counters
        if counter.startswith(prefix) and counter.endswith(_QUEUED)
    } & {counter.removesuffix(_DONE) for counter in recording.counters if counter.endswith(_DONE)}
    for place in sorted(pairs):
        times = _sample_times(recording)
        depth = _at(recording, place + _QUEUED, times) - _at(recording, place + _DONE, times)
        return _series(name, times, np.maximum(depth, 0.0))
    if not recording.with_role("compression"):
        return _unknown(name, "no compression thread")
    return _unknown(name, "not traced (--trace-queue), not counted")


def _free_memory(recording: Recording) -> Series:
    name, counter = "free_memory_mb", names.meminfo_kb("MemFree")
    if counter not in recording.counters:
        return _unknown(name, "MemFree is not in the trace")
    times = _sample_times(recording)
    return _series(name, times, _at(recording, counter, times) / 1024)


def _psi(recording: Recording) -> Series:
    name, counter = "psi_memory_some_share", names.psi_total_us("memory", "some")
    times = _apart(_sample_times(recording))
    if counter not in recording.counters or len(times) < 2:
        return _unknown(name, "PSI of memory is not in the trace")
    stalled_us = np.diff(_at(recording, counter, times))
    share = stalled_us / (np.diff(times) * 1e6) * 100
    return _series(name, times, np.append(share, share[-1]))


def _apart(times_s: Numbers) -> Numbers:
    """Of these times those at half the usual distance or more, and the last: a rate needs some time."""
    if len(times_s) < 3:
        return times_s
    least = float(np.median(np.diff(times_s))) / 2
    kept = [times_s[0]]
    kept += [time for time in times_s[1:-1] if time - kept[-1] >= least and times_s[-1] - time >= least]
    return np.array([*kept, times_s[-1]])


def _sample_times(recording: Recording) -> Numbers:
    """When counters were polled in the window, s from its begin: with its begin and its end."""
    window = recording.window
    rows = _table(recording, "sample_times", 1, begin=window.begin, end=window.end)
    return (rows[:, 0] - window.begin) / 1e9


def _at(recording: Recording, counter: str, times_s: Numbers) -> Numbers:
    """What a counter stood at, at each time. A value that did not change is not in the trace again."""
    window = recording.window
    query = (_HERE / "counter_samples.sql").read_text(encoding="utf-8")
    rows = recording.session.rows(query.format(name=counter, end=window.end))
    table = np.array([[real(cell) for cell in row] for row in rows]).reshape(-1, 2)
    place = np.searchsorted((table[:, 0] - window.begin) / 1e9, times_s, "right") - 1
    values: Numbers = table[np.maximum(place, 0), 1]
    return values
