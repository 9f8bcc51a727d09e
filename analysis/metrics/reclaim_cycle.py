"""Is it t1 + t2 + t3, or max(t1 + t3, t2)? The parts of a reclaim cycle, and two models of its length.

The reviewers' model of kswapd: t1 scans and unmaps anonymous pages, t2 compresses them, t3 reclaims
file pages. One thread takes t1 + t2 + t3; with a thread for t2 it should be max(t1 + t3, t2).
Here the parts are CPU times of the functions in `reclaim_probes`, of kswapd and of the compression
threads, and the measured length is wall time from begin to end of balance_pgdat. The same functions
are timed on every kernel.

Timing a call costs time itself. What one costs is measured beforehand on a system call, and taken
off each call for every call in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.metrics import reclaim_cycle_metrics
from analysis.metrics import reclaim_probes as probes
from analysis.trace.calls import (
    Calls,
    CpuClock,
    Flags,
    Nanoseconds,
    Numbers,
    calls_of,
    inside,
    joined,
    total_by,
)
from analysis.trace.figure import Figure, unknown
from analysis.trace.recording import Recording
from foundation.contract import conventions as names
from foundation.contract.needs import Probe

METRICS: Final = reclaim_cycle_metrics.METRICS

#: Without these there is no cycle to take apart.
_REQUIRED: Final = (probes.CYCLE, probes.BATCH, probes.WRITE, probes.STORE)


@dataclass(frozen=True)
class _Cost:
    """What recording a call costs, ns: ``each`` in sum, ``own`` between its two events."""

    each: float
    own: float


class _Thread:
    """Calls of one thread with their CPU times, less what recording them cost."""

    def __init__(self, recording: Recording, utid: int, calls: dict[str, Calls], cost: _Cost) -> None:
        self._clock = CpuClock(recording, utid)
        self._calls = {name: found.by([utid]) for name, found in calls.items()}
        self._begins = np.sort(np.concatenate([found.begin for found in self._calls.values()]))
        self._cost = cost

    def calls(self, *which: Probe) -> Calls:
        """Calls of these functions, which do not call each other, by their begin."""
        return joined([self._calls[probe.name] for probe in which])

    def recorded(self, begin: Nanoseconds, end: Nanoseconds) -> Nanoseconds:
        """How many calls of any function began in each interval, but for one at its very begin."""
        return np.searchsorted(self._begins, end, "left") - np.searchsorted(self._begins, begin, "right")

    def cost(self, begin: Nanoseconds, end: Nanoseconds) -> Numbers:
        """What recording cost in each call."""
        return self._cost.own + self._cost.each * self.recorded(begin, end).astype(np.float64)

    def raw_cpu(self, begin: Nanoseconds, end: Nanoseconds) -> Numbers:
        """CPU time of each interval as it was."""
        return self._clock.between(begin, end)

    def cpu(self, calls: Calls) -> Numbers:
        """CPU time of each call less what recording cost in it."""
        return self._clock.between(calls.begin, calls.end) - self.cost(calls.begin, calls.end)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; all unknown where the functions were not recorded."""
    for probe in _REQUIRED:
        why = recording.probe_missing(probe.name)
        if why is not None:
            return _nothing(why)
    if not recording.has_sched:
        return _nothing("the trace has no sched_switch events in the window")
    calls = {probe.name: _read(recording, probe) for probe in probes.ALL}
    cost, caution = _cost_of(recording, calls[probes.COST.name])
    window = recording.window
    cycles = calls[probes.CYCLE.name]
    cycles = cycles.of((cycles.end > window.begin) & (cycles.begin < window.end))
    who = sorted(set(cycles.utid.tolist()))
    if len(who) > 1:
        return _nothing(f"{len(who)} threads of kswapd were at work, and the model is of one")
    if not len(cycles):
        return _nothing("kswapd had no reclaim cycle in the window")
    kswapd = _Thread(recording, who[0], calls, cost)
    helpers = [
        _Thread(recording, thread.utid, calls, cost) for thread in recording.with_role("compression")
    ]
    begin, end = np.maximum(cycles.begin, window.begin), np.minimum(cycles.end, window.end)
    clipped = Calls(cycles.utid, begin, end, cycles.argument, cycles.result)
    figures = _figures(recording, kswapd, helpers, clipped)
    left_out = [why for probe in (*probes.ISOLATE, probes.AGE) if (why := _absent(recording, probe))]
    if len(left_out) > 1:
        caution = "; ".join(filter(None, (caution, "scanning is not whole: " + "; ".join(left_out))))
    return {name: _cautioned(figure, caution) for name, figure in figures.items()}


def _nothing(why: str) -> dict[str, Figure]:
    return {metric.name: unknown(why) for metric in METRICS}


def _absent(recording: Recording, probe: Probe) -> str | None:
    return recording.probe_missing(probe.name)


def _read(recording: Recording, probe: Probe) -> Calls:
    argument = probe.arguments[0].partition("=")[0] if probe.arguments else ""
    cut = recording.bounds if probe is probes.CYCLE else None
    return calls_of(recording, probe.name, argument, cut=cut)


def _cost_of(recording: Recording, made: Calls) -> tuple[_Cost, str | None]:
    each = (recording.capture or {}).get(names.CAPTURE_PROBE_COST_NS)
    if not isinstance(each, int | float) or not len(made):
        return _Cost(0.0, 0.0), "what recording the calls cost is not known and is in these figures"
    return _Cost(float(each), min(float(np.median(made.end - made.begin)), float(each))), None


def _cautioned(figure: Figure, caution: str | None) -> Figure:
    if figure.value is None or caution is None:
        return figure
    return Figure(figure.value, caution)


def _figures(
    recording: Recording, kswapd: _Thread, helpers: list[_Thread], cycles: Calls
) -> dict[str, Figure]:
    count = len(cycles)
    batches = kswapd.calls(probes.BATCH)
    stores = kswapd.calls(probes.STORE)
    writes = kswapd.calls(probes.WRITE)
    anon = (batches.argument & 1) != 0
    swapped = inside(batches, writes.begin)
    anon[swapped[swapped >= 0]] = True

    stored = total_by(count, inside(cycles, stores.begin), kswapd.cpu(stores))
    in_batch = total_by(len(batches), inside(batches, stores.begin), kswapd.cpu(stores))
    of_batch = kswapd.cpu(batches) - in_batch + _isolated(kswapd, batches)
    where = inside(cycles, batches.begin)
    aged = kswapd.calls(probes.AGE)
    aged_anon, aging, aged_in = aged.argument < 2, kswapd.cpu(aged), inside(cycles, aged.begin)
    t1 = total_by(count, where, of_batch * anon) + total_by(count, aged_in, aging * aged_anon)
    t3 = total_by(count, where, of_batch * ~anon) + total_by(count, aged_in, aging * ~aged_anon)

    beside = [_beside(helper, cycles, recording.window.end) for helper in helpers]
    beside = [one for one in beside if one.any()]
    busiest = np.max(beside, axis=0) if beside else np.zeros(count)
    t2 = stored + (np.sum(beside, axis=0) if beside else 0.0)

    cost = kswapd.cost(cycles.begin, cycles.end)
    raw = kswapd.raw_cpu(cycles.begin, cycles.end)
    lengths = (cycles.end - cycles.begin).astype(np.float64)
    wall, cpu, waiting = (
        float((lengths - cost).sum()),
        float((raw - cost).sum()),
        float((lengths - raw).sum()),
    )
    pages = int(np.count_nonzero(inside(cycles, writes.begin) >= 0))
    serial = float((t1 + t2 + t3).sum())
    overlapped = float(np.maximum(t1 + t3, t2 / max(len(beside), 1)).sum())
    split = float(np.maximum(t1 + t3 + stored, busiest).sum())
    steps = _steps(recording, kswapd, cycles, batches, anon, float(t1.sum()), pages)
    return {
        "cycle_count": Figure(float(count)),
        "cycle_pages": Figure(float(pages)),
        "cycle_wall_ms": Figure(wall / 1e6),
        "t1_scan_unmap_ms": Figure(float(t1.sum()) / 1e6),
        "t2_compress_ms": Figure(float(t2.sum()) / 1e6),
        "t3_file_ms": Figure(float(t3.sum()) / 1e6),
        "t1_us_per_page": _per_page(float(t1.sum()), pages),
        "t2_us_per_page": _per_page(float(t2.sum()), pages),
        "t3_us_per_page": _per_page(float(t3.sum()), pages),
        "t2_in_kswapd_share": _share(float(stored.sum()), float(t2.sum()), "zram stored no page"),
        "model_serial_ms": Figure(serial / 1e6),
        "model_overlapped_ms": Figure(overlapped / 1e6),
        "model_split_ms": Figure(split / 1e6),
        "model_serial_residual_share": _residual(wall, serial),
        "model_overlapped_residual_share": _residual(wall, overlapped),
        "model_split_residual_share": _residual(wall, split),
        "cycle_other_cpu_ms": Figure((cpu - float((t1 + t3 + stored).sum())) / 1e6),
        "cycle_waiting_ms": Figure(waiting / 1e6),
        **steps,
        "probe_cost_share": _share(float(cost.sum()), float(raw.sum()), "kswapd was not on a CPU"),
    }


def _isolated(kswapd: _Thread, batches: Calls) -> Numbers:
    """CPU time of isolating, for the batch that follows; what aging isolates is aging's."""
    isolated = kswapd.calls(*probes.ISOLATE)
    alone = isolated.of(inside(kswapd.calls(probes.AGE), isolated.begin) < 0)
    following = np.searchsorted(batches.begin, alone.end, "left")
    following = np.where(following < len(batches), following, -1)
    return total_by(len(batches), following, kswapd.cpu(alone))


def _beside(helper: _Thread, cycles: Calls, window_end: int) -> Numbers:
    """CPU time of a compression thread's stores, by the last cycle that had begun."""
    stores = helper.calls(probes.STORE)
    last = np.searchsorted(cycles.begin, stores.begin, "right") - 1
    last = np.where(stores.begin < window_end, last, -1)
    return total_by(len(cycles), last, helper.cpu(stores))


def _steps(
    recording: Recording,
    kswapd: _Thread,
    cycles: Calls,
    batches: Calls,
    anon: Flags,
    t1: float,
    pages: int,
) -> dict[str, Figure]:
    named: dict[str, tuple[Probe, ...]] = {
        "step_add_to_swap_us_per_page": (probes.ADD,),
        "step_unmap_us_per_page": (probes.UNMAP,),
        "step_flush_us_per_page": probes.FLUSH,
        "step_write_out_us_per_page": (probes.WRITE,),
        "step_clear_us_per_page": (probes.CLEAR,),
    }
    figures: dict[str, Figure] = {}
    left, unseen = t1, None
    for name, step in named.items():
        why = next(filter(None, (recording.probe_missing(probe.name) for probe in step)), None)
        if why is not None:
            figures[name] = unknown(why)
            # Without a gathered flush there is nothing to leave out of the rest.
            unseen = unseen if step is probes.FLUSH else why
            continue
        calls = kswapd.calls(*step)
        batch = inside(batches, calls.begin)
        chosen = (inside(cycles, calls.begin) >= 0) & (batch >= 0)
        chosen[chosen] &= anon[batch[chosen]]
        calls = calls.of(chosen)
        total = own = float(kswapd.cpu(calls).sum())
        if step == (probes.WRITE,):
            stores = kswapd.calls(probes.STORE)
            own -= float(kswapd.cpu(stores.of(inside(calls, stores.begin) >= 0)).sum())
        left -= own
        figures[name] = _per_page(total, pages)
    figures["step_scan_us_per_page"] = _per_page(left, pages) if unseen is None else unknown(unseen)
    return figures


def _per_page(total_ns: float, pages: int) -> Figure:
    return Figure(total_ns / 1e3 / pages) if pages else unknown("kswapd wrote no page out in its cycles")


def _share(part: float, whole: float, zero: str) -> Figure:
    return Figure(part / whole) if whole > 0 else unknown(zero)


def _residual(wall: float, model: float) -> Figure:
    return _share(wall - model, wall, "the cycles have no length")
