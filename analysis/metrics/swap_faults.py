"""Faults on swapped-out pages: how long, and what of those that come before the page is stored.

A page that kswapd has handed to be written can be wanted again while it waits or is being
compressed. The fault then finds it in the swap cache. What that takes depends on the kernel:
a page under writeback is mapped at once (copied, if it is to be written to), a locked one is
waited for. So the same functions are timed on every kernel, and a fault belongs to the class of
the page that its look into the swap cache has found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.metrics import reclaim_probes
from analysis.trace.calls import (
    Calls,
    Flags,
    Nanoseconds,
    calls_of,
    inside,
)
from analysis.trace.figure import (
    Figure,
    percentile,
    ratio,
    unknown,
)
from analysis.trace.recording import Recording
from foundation.comparison import Direction, Scale
from foundation.contract.metric import Metric, Reduce, Shown
from foundation.contract.needs import Needs, Probe

FAULT: Final = Probe("do_swap_page", ("do_swap_page",), everywhere=True)
LOOKUP: Final = Probe(
    "swap_cache_lookup",
    ("swap_cache_get_folio", "lookup_swap_cache"),
    result=("folio=$retval:x64",),
    everywhere=True,
)
WRITE: Final = reclaim_probes.WRITE
STORE: Final = reclaim_probes.STORE

NEEDS: Final = Needs(probes=frozenset((FAULT, LOOKUP, WRITE, STORE)))

#: Below this share of pages whose write leads to a store the two do not speak of the same pages.
_MATCHED_MIN: Final = 0.5


_MATCH: Final = (
    "do_swap_page, swap_cache_get_folio; the page by swap_writepage of kswapd and zram's write of it"
)
_UNFINISHED: Final = "faults on a page that kswapd had handed to be written and zram had not stored yet"


def _metric(
    name: str,
    unit: str,
    definition: str,
    functions: str = _MATCH,
    *,
    direction: Direction = "lower",
    reduce: Reduce = "mean",
    scale: Scale = "difference",
    count: bool = False,
    terminal: int = 0,
) -> Metric:
    """``terminal`` is the order in the terminal; 0: not there."""
    return Metric(
        name=name,
        unit=unit,
        direction=direction,
        family="swap faults",
        definition=definition,
        source=f"calls of kernel functions (kprobes): {functions}",
        needs=NEEDS,
        threshold=0.10,
        reduce=reduce,
        scale=scale,
        count=count,
        request="faults",
        shown=Shown(terminal, terminal=terminal > 0, side_by_side="Faults on swapped-out pages"),
    )


def _time(
    name: str, definition: str, functions: str = _MATCH, *, scale: Scale = "difference", terminal: int = 0
) -> Metric:
    """A percentile or the maximum of times, us."""
    return _metric(name, "us", definition, functions, reduce="median", scale=scale, terminal=terminal)


METRICS: Final = (
    _metric(
        "fault_count",
        "faults",
        "faults on swapped-out pages that began in the window",
        "do_swap_page",
        direction="none",
        scale="ratio",
    ),
    _metric(
        "fault_read_count",
        "faults",
        "of these, faults that had to read the page from swap: an ordinary swap-in",
        "do_swap_page, swap_cache_get_folio",
        direction="none",
        scale="ratio",
    ),
    _time(
        "fault_read_p50_us",
        "median time of an ordinary swap-in (probes included)",
        "do_swap_page",
        scale="ratio",
        terminal=230,
    ),
    _time(
        "fault_read_p99_us",
        "99th percentile of the time of an ordinary swap-in, known from 100 on (probes included)",
        "do_swap_page",
        scale="ratio",
    ),
    _metric("fault_unfinished_count", "faults", _UNFINISHED, count=True, terminal=240),
    _metric("fault_unfinished_share", "share", f"{_UNFINISHED}, of all faults (fault_count)"),
    _time("fault_unfinished_p50_us", f"median time of {_UNFINISHED}", terminal=260),
    _time("fault_unfinished_p99_us", f"99th percentile of the time of {_UNFINISHED}, known from 100 on"),
    _time("fault_unfinished_max_us", f"longest time of {_UNFINISHED}"),
    _metric(
        "fault_unfinished_waiting_count",
        "faults",
        "of fault_unfinished_count, those on a page whose storing had not begun: it waited in a queue, and"
        " compressing it could have been cancelled",
        direction="none",
        count=True,
        terminal=250,
    ),
    _time(
        "fault_unfinished_waiting_p50_us", "median time of a fault on a page whose storing had not begun"
    ),
    _time("fault_unfinished_storing_p50_us", "median time of a fault on a page that was being stored"),
    _metric(
        "fault_cached_count",
        "faults",
        "faults that found a page in the swap cache which kswapd had not handed over, or zram had stored",
        direction="none",
    ),
    _time("fault_cached_p50_us", "median time of a fault that fault_cached_count counts"),
)


@dataclass(frozen=True)
class Writes:
    """Pages on their way out: handed over at ``begin``, stored from ``store`` to ``end``, ns."""

    page: Nanoseconds
    begin: Nanoseconds
    store: Nanoseconds
    end: Nanoseconds


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; those of pages on their way out unknown where these cannot be told."""
    for probe in (FAULT, LOOKUP):
        why = recording.probe_missing(probe.name)
        if why is not None:
            return {metric.name: unknown(why) for metric in METRICS}
    window = recording.window
    every = calls_of(recording, FAULT.name)
    found = _found(every, calls_of(recording, LOOKUP.name, result="folio"))
    chosen = (every.begin >= window.begin) & (every.begin < window.end) & (found.when >= 0)
    took_us = (every.end - every.begin)[chosen] / 1e3
    page, when = found.page[chosen], found.when[chosen]
    read = page == 0
    figures = {
        "fault_count": Figure(float(len(page))),
        "fault_read_count": Figure(float(np.count_nonzero(read))),
        **_quantiles("fault_read", took_us[read].tolist(), "ordinary swap-ins"),
    }
    writes = _writes(recording)
    if isinstance(writes, str):
        rest = {metric.name: unknown(writes) for metric in METRICS if metric.name not in figures}
        return figures | rest
    waiting, storing = _states(writes, page, when)
    unfinished = waiting | storing
    cached = ~read & ~unfinished
    what = "faults on a page on its way out"
    return figures | {
        "fault_unfinished_count": Figure(float(np.count_nonzero(unfinished))),
        "fault_unfinished_share": ratio(
            Figure(float(np.count_nonzero(unfinished))),
            figures["fault_count"],
            zero="there was no fault on a swapped-out page in the window",
        ),
        **_quantiles("fault_unfinished", took_us[unfinished].tolist(), what),
        "fault_unfinished_max_us": percentile(took_us[unfinished].tolist(), 1.0, minimum=1, what=what),
        "fault_unfinished_waiting_count": Figure(float(np.count_nonzero(waiting))),
        "fault_unfinished_waiting_p50_us": percentile(
            took_us[waiting].tolist(), 0.5, minimum=2, what="faults on a waiting page"
        ),
        "fault_unfinished_storing_p50_us": percentile(
            took_us[storing].tolist(), 0.5, minimum=2, what="faults on a page that was being stored"
        ),
        "fault_cached_count": Figure(float(np.count_nonzero(cached))),
        "fault_cached_p50_us": percentile(
            took_us[cached].tolist(), 0.5, minimum=2, what="faults on another page of the swap cache"
        ),
    }


def _quantiles(name: str, times_us: list[float], what: str) -> dict[str, Figure]:
    return {
        f"{name}_p50_us": percentile(times_us, 0.50, minimum=2, what=what),
        f"{name}_p99_us": percentile(times_us, 0.99, minimum=100, what=what),
    }


@dataclass(frozen=True)
class _Found:
    """What each fault found in the swap cache (0: nothing), and when; -1 where it did not look."""

    page: Nanoseconds
    when: Nanoseconds


def _found(faults: Calls, lookups: Calls) -> _Found:
    """By the first look of each fault; a fault on what is no swap entry does not look."""
    page = np.zeros(len(faults), np.int64)
    when = np.full(len(faults), -1, np.int64)
    for utid in np.unique(faults.utid):
        own = np.flatnonzero(faults.utid == utid)
        looks = lookups.by([int(utid)])
        within = inside(faults.of(faults.utid == utid), looks.begin)
        fault, first = np.unique(within, return_index=True)
        first, fault = first[fault >= 0], fault[fault >= 0]
        page[own[fault]] = looks.result[first]
        when[own[fault]] = looks.end[first]
    return _Found(page, when)


def _writes(recording: Recording) -> Writes | str:
    """Every page that kswapd handed over, with its store; or why that cannot be told."""
    for probe in (WRITE, STORE):
        why = recording.probe_missing(probe.name)
        if why is not None:
            return why
    kswapd = [thread.utid for thread in recording.with_role("reclaim")]
    handed = calls_of(recording, WRITE.name, "page").by(kswapd)
    stores = calls_of(recording, STORE.name, "page")
    next_store = _following(handed.argument, handed.begin, stores.argument, stores.begin)
    # The same page handed over again: then the store is of that time.
    again = _following(handed.argument, handed.begin + 1, handed.argument, handed.begin)
    matched = next_store >= 0
    # A -1 looks at some entry here, and is masked.
    if len(handed) and len(stores):
        later = (again >= 0) & (handed.begin[again] <= stores.begin[next_store])
        matched &= ~later
    if len(handed) and np.mean(matched) < _MATCHED_MIN:
        return (
            f"only {np.count_nonzero(matched)} of {len(handed)} pages that kswapd handed over are seen to"
            " be stored: this kernel passes them in another way"
        )
    store = next_store[matched]
    return Writes(handed.argument[matched], handed.begin[matched], stores.begin[store], stores.end[store])


def _following(page: Nanoseconds, when: Nanoseconds, pages: Nanoseconds, times: Nanoseconds) -> Nanoseconds:
    """Index of the first of (``pages``, ``times``) with the same page at that time or later; or -1."""
    result = np.full(len(page), -1, np.int64)
    if not len(page) or not len(pages):
        return result
    _, number = np.unique(np.concatenate([page, pages]), return_inverse=True)
    wanted, have = number[: len(page)], number[len(page) :]
    # Both keys in one: ranks of times, since times themselves would not leave room for the pages.
    _, rank = np.unique(np.concatenate([when, times]), return_inverse=True)
    step = int(rank.max()) + 1
    keys = have * step + rank[len(when) :]
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys[order], wanted * step + rank[: len(when)], "left")
    hit = at < len(order)
    index = order[at[hit]]
    result[hit] = np.where(have[index] == wanted[hit], index, -1)
    return result


def _states(writes: Writes, page: Nanoseconds, when: Nanoseconds) -> tuple[Flags, Flags]:
    """Which of the pages found were waiting, and which being stored, at that time."""
    # The first one that ends later is the only one that the time can lie in.
    at = _following(page, when + 1, writes.page, writes.end)
    known = (at >= 0) & (page != 0)
    inside_it = known.copy()
    inside_it[known] = writes.begin[at[known]] <= when[known]
    stored_later = np.zeros(len(page), bool)
    stored_later[inside_it] = writes.store[at[inside_it]] > when[inside_it]
    return inside_it & stored_later, inside_it & ~stored_later
