"""Is it t1 + t2 + t3, or max(t1 + t3, t2)? The parts of a reclaim cycle, and two models of its length.

The model of kswapd in review: t1 scans and unmaps anonymous pages, t2 compresses them, t3 reclaims
file pages. One thread takes t1 + t2 + t3; with a thread for t2 it should be max(t1 + t3, t2).
The parts are CPU times of the functions in `reclaim_probes`, in kswapd and in the compression
threads; the measured length is the wall time of balance_pgdat. The same functions are timed on
every kernel.

Timing a call costs time itself. The cost of one is measured beforehand on a system call, and
subtracted from each call for every call within it.
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
    Numbers,
    calls_of,
    inside,
    joined,
    total_by,
)
from analysis.trace.figure import Figure, all_unknown, unknown
from analysis.trace.recording import NO_SCHED, Recording
from foundation.contract import conventions as names
from foundation.contract.needs import Probe

METRICS: Final = reclaim_cycle_metrics.METRICS

#: Without these a cycle cannot be split into its parts.
_REQUIRED: Final = (probes.CYCLE, probes.BATCH, probes.WRITE, probes.STORE)


@dataclass(frozen=True)
class _Cost:
    """Cost of recording a call, ns: ``each`` in total, ``own`` between its two events."""

    each: float
    own: float


class _Thread:
    """Calls of one thread with their CPU times, less the cost of recording them."""

    def __init__(self, recording: Recording, utid: int, calls: dict[str, Calls], cost: _Cost) -> None:
        self._clock = CpuClock(recording, utid)
        self._calls = {name: by_all.by([utid]) for name, by_all in calls.items()}
        self._begins = np.sort(np.concatenate([own.begin for own in self._calls.values()]))
        self._cost = cost

    def calls(self, *which: Probe) -> Calls:
        """Calls of these functions, which do not call each other, in the order of their start."""
        return joined([self._calls[probe.name] for probe in which])

    def cost(self, calls: Calls) -> Numbers:
        """Cost of recording, ns, in each of ``calls``: its own, and that of every call within it."""
        nested = np.searchsorted(self._begins, calls.end, "left")
        nested -= np.searchsorted(self._begins, calls.begin, "right")
        return self._cost.own + self._cost.each * nested.astype(np.float64)

    def raw_cpu(self, calls: Calls) -> Numbers:
        """CPU time of each call, ns, including the cost of recording."""
        return self._clock.between(calls.begin, calls.end)

    def cpu(self, calls: Calls) -> Numbers:
        """CPU time of each call, ns, less the cost of recording within it."""
        return self.raw_cpu(calls) - self.cost(calls)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; all unknown if the functions were not recorded."""
    why = recording.probe_missing(*_REQUIRED)
    if why is None and not recording.has_sched:
        why = NO_SCHED
    if why is not None:
        return all_unknown(METRICS, why)
    calls = {probe.name: _read(recording, probe) for probe in probes.ALL}
    cost, caution = _cost_of(recording, calls[probes.COST.name])
    window = recording.window
    cycles = calls[probes.CYCLE.name]
    cycles = cycles.where((cycles.end > window.begin) & (cycles.begin < window.end))
    utids = sorted(set(cycles.utid.tolist()))
    if len(utids) > 1:
        return all_unknown(METRICS, f"{len(utids)} kswapd threads were at work; the model is of one")
    if not utids:
        return all_unknown(METRICS, "kswapd had no reclaim cycle in the window")
    kswapd = _Thread(recording, utids[0], calls, cost)
    helpers = [
        _Thread(recording, thread.utid, calls, cost) for thread in recording.with_role("compression")
    ]
    begin, end = np.maximum(cycles.begin, window.begin), np.minimum(cycles.end, window.end)
    clipped = Calls(cycles.utid, begin, end, cycles.argument, cycles.result)
    figures = _figures(recording, kswapd, helpers, clipped)
    # A kernel has the isolation function of its LRU only: one missing probe is normal.
    left_out = [why for probe in (*probes.ISOLATE, probes.AGE) if (why := recording.probe_missing(probe))]
    if len(left_out) > 1:
        caution = "; ".join(filter(None, (caution, f"scanning is incomplete: {'; '.join(left_out)}")))
    return {name: figure.cautioned(caution) for name, figure in figures.items()}


def _read(recording: Recording, probe: Probe) -> Calls:
    argument = probe.arguments[0].partition("=")[0] if probe.arguments else ""
    cut = recording.bounds if probe is probes.CYCLE else None
    return calls_of(recording, probe.name, argument, cut=cut)


def _cost_of(recording: Recording, made: Calls) -> tuple[_Cost, str | None]:
    each = (recording.capture or {}).get(names.CAPTURE_PROBE_COST_NS)
    if not isinstance(each, int | float) or not len(made):
        return _Cost(0.0, 0.0), "the cost of recording the calls is unknown and included in the figures"
    return _Cost(float(each), min(float(np.median(made.end - made.begin)), float(each))), None


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

    in_threads = [_stored_by(helper, cycles, recording.window.end) for helper in helpers]
    in_threads = [times for times in in_threads if times.any()]
    busiest = np.max(in_threads, axis=0) if in_threads else np.zeros(count)
    t2 = stored + (np.sum(in_threads, axis=0) if in_threads else 0.0)

    cost, raw = kswapd.cost(cycles), kswapd.raw_cpu(cycles)
    lengths = (cycles.end - cycles.begin).astype(np.float64)
    wall = float((lengths - cost).sum())
    pages = int(np.count_nonzero(inside(cycles, writes.begin) >= 0))
    models = {
        "serial": float((t1 + t2 + t3).sum()),
        "overlapped": float(np.maximum(t1 + t3, t2 / max(len(in_threads), 1)).sum()),
        "split": float(np.maximum(t1 + t3 + stored, busiest).sum()),
    }
    other = float((raw - cost).sum()) - float((t1 + t3 + stored).sum())
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
        **{f"model_{name}_ms": Figure(model / 1e6) for name, model in models.items()},
        **{
            f"model_{name}_residual_share": _share(wall - model, wall, "the cycles have no length")
            for name, model in models.items()
        },
        "cycle_other_cpu_ms": Figure(other / 1e6),
        "cycle_waiting_ms": Figure(float((lengths - raw).sum()) / 1e6),
        **_steps(recording, kswapd, cycles, batches, anon, float(t1.sum()), pages),
        "probe_cost_share": _share(float(cost.sum()), float(raw.sum()), "kswapd was not on a CPU"),
    }


def _isolated(kswapd: _Thread, batches: Calls) -> Numbers:
    """CPU time of isolation, ns, by the batch that follows it; isolation within aging counts as aging."""
    isolated = kswapd.calls(*probes.ISOLATE)
    alone = isolated.where(inside(kswapd.calls(probes.AGE), isolated.begin) < 0)
    following = np.searchsorted(batches.begin, alone.end, "left")
    following = np.where(following < len(batches), following, -1)
    return total_by(len(batches), following, kswapd.cpu(alone))


def _stored_by(helper: _Thread, cycles: Calls, window_end: int) -> Numbers:
    """CPU time of a compression thread's stores, ns, by the latest cycle that had started."""
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
    rest, unseen = t1, None
    for name, step in named.items():
        why = recording.probe_missing(*step)
        if why is not None:
            figures[name] = unknown(why)
            # A kernel without batched flushes has none to subtract from the rest.
            unseen = unseen if step is probes.FLUSH else why
            continue
        calls = kswapd.calls(*step)
        batch = inside(batches, calls.begin)
        counts = (inside(cycles, calls.begin) >= 0) & (batch >= 0)
        counts[counts] &= anon[batch[counts]]
        calls = calls.where(counts)
        total = own = float(kswapd.cpu(calls).sum())
        if step == (probes.WRITE,):
            stores = kswapd.calls(probes.STORE)
            own -= float(kswapd.cpu(stores.where(inside(calls, stores.begin) >= 0)).sum())
        rest -= own
        figures[name] = _per_page(total, pages)
    figures["step_scan_us_per_page"] = _per_page(rest, pages) if unseen is None else unknown(unseen)
    return figures


def _per_page(total_ns: float, pages: int) -> Figure:
    return Figure(total_ns / 1e3 / pages) if pages else unknown("kswapd wrote out no page in its cycles")


def _share(part: float, total: float, zero: str) -> Figure:
    return Figure(part / total) if total > 0 else unknown(zero)
