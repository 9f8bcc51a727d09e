"""The course of a repetition: CPU use, stalls, queue depth and free memory over time.

Quantities from events come in steps of equal length (`step_s`), polled ones at the times of their
samples.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from analysis.distributions.names import SERIES
from analysis.distributions.records import Numbers, Series, no_series
from analysis.trace.recording import NO_SCHED, Nanoseconds, Recording, Window, as_float
from foundation.contract import conventions as names
from foundation.contract.threads import Role

#: A window has at most this many steps.
_MOST_STEPS: Final = 400
_STEPS_S: Final = tuple(base * 10.0**power for power in range(-3, 3) for base in (1, 2, 5))
_DIGITS: Final = 4

_QUEUED: Final = "/queued"
_DONE: Final = "/done"

_NO_COMPRESSION: Final = "no compression thread"
_NO_THREAD: Final[dict[Role, str]] = {"reclaim": "no kswapd", "compression": _NO_COMPRESSION}


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
    """Length of a step, s: 1, 2 or 5 times a power of ten, at most `_MOST_STEPS` of them in the window."""
    return next((step for step in _STEPS_S if window_s / step <= _MOST_STEPS), window_s / _MOST_STEPS)


def in_steps(begin: Nanoseconds, end: Nanoseconds, window: Window) -> tuple[Numbers, Numbers]:
    """Start of each step of the window (s), and how many intervals are open in it on average.

    The last step may be shorter than the others; its mean is over its own length.
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
    """For each edge, the sum over ``times`` (ascending) of the time by which each precedes it."""
    sums = np.concatenate([[0.0], np.cumsum(times)])
    earlier = np.searchsorted(times, edges, "right")
    passed: Numbers = earlier * edges - sums[earlier]
    return passed


def _series(name: str, times_s: Numbers, values: Numbers) -> Series:
    rounded = np.array([float(f"{value:.{_DIGITS}g}") for value in values], dtype=np.float64)
    return Series(name, SERIES[name], np.round(times_s, 6), rounded)


def _unknown(name: str, reason: str) -> Series:
    return no_series(name, SERIES[name], reason)


def _cpu(recording: Recording, name: str, role: Role) -> Series:
    if not recording.has_sched:
        return _unknown(name, NO_SCHED)
    threads = recording.with_role(role)
    if not threads:
        return _unknown(name, _NO_THREAD[role])
    utids = [thread.utid for thread in threads]
    ran = recording.query_ints(__file__, "on_cpu_intervals", 2, utids=utids)
    times, share = in_steps(ran[:, 0], ran[:, 1], recording.window)
    return _series(name, times, share * 100)


def _direct_reclaim(recording: Recording) -> Series:
    name = "direct_reclaim_tasks"
    why = recording.event_missing("mm_vmscan_direct_reclaim_begin")
    if why is not None:
        return _unknown(name, why)
    reclaims = recording.query_ints(__file__, "direct_reclaim_intervals", 2)
    return _series(name, *in_steps(reclaims[:, 0], reclaims[:, 1], recording.window))


def _queue(recording: Recording) -> Series:
    """Pages queued or being compressed; from polled counters if single pages were not traced."""
    name = "queue_pages"
    if recording.event_recorded("kcompressd_done"):
        # Only pages that were finished in the trace are known to be in flight.
        pages = recording.query_ints(__file__, "queue_intervals", 2)
        return _series(name, *in_steps(pages[:, 0], pages[:, 1], recording.window))
    queued = (one for one in sorted(recording.counters) if one.startswith(names.extra("")))
    for counter in queued:
        done = counter.removesuffix(_QUEUED) + _DONE
        if counter.endswith(_QUEUED) and done in recording.counters:
            times = _sample_times(recording)
            depth = _at(recording, counter, times) - _at(recording, done, times)
            return _series(name, times, np.maximum(depth, 0.0))
    if not recording.with_role("compression"):
        return _unknown(name, _NO_COMPRESSION)
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
    """The times that are at least half the median distance apart, and the last: a rate needs some time."""
    if len(times_s) < 3:
        return times_s
    least = float(np.median(np.diff(times_s))) / 2
    kept = [times_s[0]]
    kept += [time for time in times_s[1:-1] if time - kept[-1] >= least and times_s[-1] - time >= least]
    return np.array([*kept, times_s[-1]])


def _sample_times(recording: Recording) -> Numbers:
    """When counters were polled, s from the start of the window, its start and end included."""
    return (recording.query_ints(__file__, "sample_times", 1)[:, 0] - recording.window.begin) / 1e9


def _at(recording: Recording, counter: str, times_s: Numbers) -> Numbers:
    """Value of a counter at each time. The trace does not repeat a value that did not change."""
    rows = recording.query(__file__, "counter_samples", name=counter)
    table = np.array([[as_float(cell) for cell in row] for row in rows]).reshape(-1, 2)
    place = np.searchsorted((table[:, 0] - recording.window.begin) / 1e9, times_s, "right") - 1
    values: Numbers = table[np.maximum(place, 0), 1]
    return values
