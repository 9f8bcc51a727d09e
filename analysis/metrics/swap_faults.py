"""Faults on swapped-out pages: how long they take, also on pages that zram has not stored yet.

A page that kswapd has queued for writing can be accessed again while it waits or is being
compressed. The fault then finds it in the swap cache. Its length depends on the kernel: a page
under writeback is mapped at once (copied on a write), a locked one is waited for. The same
functions are timed on every kernel, and a fault is classified by the page that its swap cache
lookup returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from analysis.metrics import reclaim_probes
from analysis.trace.calls import Calls, Flags, Numbers, calls_of, inside
from analysis.trace.figure import Figure, all_unknown, percentile, ratio
from analysis.trace.recording import Nanoseconds, Recording
from foundation.contract.metric import Metric, Shown
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

#: If a smaller share of the pages queued is seen to be stored, the two probes see different pages.
_MATCHED_MIN: Final = 0.5

_TABLE: Final = "Faults on swapped-out pages"


def _in_terminal(order: int) -> Shown:
    return Shown(order, terminal=True, side_by_side=_TABLE)


_CALLS: Final = "calls of kernel functions (kprobes): "
_NOT_STORED: Final = "faults on a page that zram had not stored"
_UNFINISHED: Final = "faults on pages that kswapd had queued for writing and zram had not stored yet"

_metric = partial(
    Metric,
    direction="lower",
    family="swap faults",
    source=f"{_CALLS}do_swap_page, swap_cache_get_folio; the page by swap_writepage of kswapd and zram's"
    " write of it",
    needs=NEEDS,
    threshold=0.10,
    scale="difference",
    request="faults",
    shown=Shown(side_by_side=_TABLE),
)
_count = partial(_metric, unit="faults")
_time = partial(_metric, unit="us", reduce="median")

METRICS: Final = (
    _count(
        "fault_count",
        direction="none",
        definition="faults on swapped-out pages that start in the window",
        source=f"{_CALLS}do_swap_page",
        scale="ratio",
    ),
    _count(
        "fault_read_count",
        direction="none",
        definition="of fault_count, those that had to read the page from swap: ordinary swap-ins",
        source=f"{_CALLS}do_swap_page, swap_cache_get_folio",
        scale="ratio",
    ),
    _time(
        "fault_read_p50_us",
        definition="median time of ordinary swap-ins, probes included",
        source=f"{_CALLS}do_swap_page",
        scale="ratio",
        shown=_in_terminal(230),
    ),
    _time(
        "fault_read_p99_us",
        definition="99th percentile of the time of ordinary swap-ins, probes included; needs at least 100",
        source=f"{_CALLS}do_swap_page",
        scale="ratio",
    ),
    _count("fault_unfinished_count", definition=_UNFINISHED, count=True, shown=_in_terminal(240)),
    _metric("fault_unfinished_share", "share", definition="fault_unfinished_count / fault_count"),
    _time("fault_unfinished_p50_us", definition=f"median time of {_UNFINISHED}", shown=_in_terminal(260)),
    _time(
        "fault_unfinished_p99_us",
        definition=f"99th percentile of the time of {_UNFINISHED}; needs at least 100",
    ),
    _time("fault_unfinished_max_us", definition=f"longest time of {_UNFINISHED}"),
    _count(
        "fault_unfinished_waiting_count",
        direction="none",
        definition="of fault_unfinished_count, those on pages whose write in zram had not started: they"
        " were in a queue, and compressing them could have been cancelled",
        count=True,
        shown=_in_terminal(250),
    ),
    _time(
        "fault_unfinished_waiting_p50_us",
        definition="median time of a fault on a page whose write in zram had not started",
    ),
    _time(
        "fault_unfinished_storing_p50_us",
        definition="median time of a fault on a page that zram was writing",
    ),
    _count(
        "fault_cached_count",
        direction="none",
        definition="faults that found a page in the swap cache that kswapd had not queued, or that zram had"
        " stored",
    ),
    _time("fault_cached_p50_us", definition="median time of the faults in fault_cached_count"),
)


@dataclass(frozen=True)
class Writes:
    """Pages on their way to zram: queued at ``begin``, written from ``store`` to ``end``, ns."""

    page: Nanoseconds
    begin: Nanoseconds
    store: Nanoseconds
    end: Nanoseconds


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; those of pages on their way to zram unknown if these cannot be identified."""
    why = recording.probe_missing(FAULT, LOOKUP)
    if why is not None:
        return all_unknown(METRICS, why)
    window = recording.window
    faults = calls_of(recording, FAULT.name)
    page, when = _lookups(faults, calls_of(recording, LOOKUP.name, result="folio"))
    counts = (faults.begin >= window.begin) & (faults.begin < window.end) & (when >= 0)
    took_us = (faults.end - faults.begin)[counts] / 1e3
    page, when = page[counts], when[counts]
    read = page == 0
    figures = {
        "fault_count": Figure(float(len(page))),
        "fault_read_count": Figure(float(np.count_nonzero(read))),
        **_quantiles("fault_read", took_us[read], "ordinary swap-ins"),
    }
    writes = _writes(recording)
    if isinstance(writes, str):
        return all_unknown(METRICS, writes) | figures
    waiting, storing = _states(writes, page, when)
    unfinished = waiting | storing
    cached = ~read & ~unfinished
    unfinished_count = Figure(float(np.count_nonzero(unfinished)))
    none = "there was no fault on a swapped-out page in the window"
    return figures | {
        "fault_unfinished_count": unfinished_count,
        "fault_unfinished_share": ratio(unfinished_count, figures["fault_count"], zero=none),
        **_quantiles("fault_unfinished", took_us[unfinished], _NOT_STORED),
        "fault_unfinished_max_us": percentile(
            took_us[unfinished].tolist(), 1.0, minimum=1, what=_NOT_STORED
        ),
        "fault_unfinished_waiting_count": Figure(float(np.count_nonzero(waiting))),
        "fault_unfinished_waiting_p50_us": _median(took_us[waiting], "faults on a queued page"),
        "fault_unfinished_storing_p50_us": _median(took_us[storing], "faults on a page being written"),
        "fault_cached_count": Figure(float(np.count_nonzero(cached))),
        "fault_cached_p50_us": _median(took_us[cached], "faults on another page of the swap cache"),
    }


def _quantiles(name: str, times_us: Numbers, what: str) -> dict[str, Figure]:
    return {
        f"{name}_p50_us": _median(times_us, what),
        f"{name}_p99_us": percentile(times_us.tolist(), 0.99, minimum=100, what=what),
    }


def _median(times_us: Numbers, what: str) -> Figure:
    return percentile(times_us.tolist(), 0.50, minimum=2, what=what)


def _lookups(faults: Calls, lookups: Calls) -> tuple[Nanoseconds, Nanoseconds]:
    """Page that the first lookup of each fault returned (0: none), and when, ns.

    -1 if it made no lookup: faults on non-swap entries never reach the swap cache.
    """
    page = np.zeros(len(faults), np.int64)
    when = np.full(len(faults), -1, np.int64)
    for utid in np.unique(faults.utid):
        own = np.flatnonzero(faults.utid == utid)
        looks = lookups.by([int(utid)])
        within = inside(faults.where(faults.utid == utid), looks.begin)
        fault, first = np.unique(within, return_index=True)
        first, fault = first[fault >= 0], fault[fault >= 0]
        page[own[fault]] = looks.result[first]
        when[own[fault]] = looks.end[first]
    return page, when


def _writes(recording: Recording) -> Writes | str:
    """Every page that kswapd queued, with zram's write of it; or why these cannot be matched."""
    why = recording.probe_missing(WRITE, STORE)
    if why is not None:
        return why
    kswapd = [thread.utid for thread in recording.with_role("reclaim")]
    queued = calls_of(recording, WRITE.name, "page").by(kswapd)
    stores = calls_of(recording, STORE.name, "page")
    next_store = _following(queued.argument, queued.begin, stores.argument, stores.begin)
    # If the same page was queued again before the store, the store belongs to that later time.
    again = _following(queued.argument, queued.begin + 1, queued.argument, queued.begin)
    matched = next_store >= 0
    # Where an index is -1 it addresses an arbitrary entry, and is masked.
    if len(queued) and len(stores):
        later = (again >= 0) & (queued.begin[again] <= stores.begin[next_store])
        matched &= ~later
    if len(queued) and np.mean(matched) < _MATCHED_MIN:
        return (
            f"only {np.count_nonzero(matched)} of {len(queued)} pages that kswapd queued are seen to"
            " be stored: this kernel passes them in another way"
        )
    store = next_store[matched]
    return Writes(queued.argument[matched], queued.begin[matched], stores.begin[store], stores.end[store])


def _following(page: Nanoseconds, when: Nanoseconds, pages: Nanoseconds, times: Nanoseconds) -> Nanoseconds:
    """Index of the first entry of (``pages``, ``times``) for the same page at or after ``when``; or -1."""
    result = np.full(len(page), -1, np.int64)
    if not len(page) or not len(pages):
        return result
    _, number = np.unique(np.concatenate([page, pages]), return_inverse=True)
    wanted, have = number[: len(page)], number[len(page) :]
    # Both keys in one integer: ranks of times, because times leave no bits for the pages.
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
    """Which pages were queued, and which were being written, at the time ``when``."""
    # Only the first write that ends later can contain that time.
    at = _following(page, when + 1, writes.page, writes.end)
    in_flight = (at >= 0) & (page != 0)
    in_flight[in_flight] = writes.begin[at[in_flight]] <= when[in_flight]
    waiting = in_flight.copy()
    waiting[in_flight] = writes.store[at[in_flight]] > when[in_flight]
    return waiting, in_flight & ~waiting
