"""The queue of the compression thread: how long pages wait, how deep it gets, whether it stalls.

Needs the tracepoints kcompressd_queue and kcompressd_done of the suite's own compression threads,
recorded on request only: two events for each page cost CPU time. A page is in flight from the
time it is queued until it is stored: kswapd has unmapped it, but its memory is not free yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from analysis.trace.figure import Figure, all_unknown, percentile, unknown
from analysis.trace.recording import NO_PAGE_SIZE, Nanoseconds, Recording, Window
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs

_metric = partial(
    Metric,
    direction="lower",
    family="compression queue",
    source="kcompressd_queue, kcompressd_done (tracepoints of the suite's compression threads)",
    needs=Needs(
        # Of the thread in the zram module, and of the one above zram.
        ftrace_events=frozenset(
            f"{system}/{event}"
            for system in ("zram_kcompressd", "kcompressd")
            for event in ("kcompressd_queue", "kcompressd_done")
        )
    ),
    threshold=0.10,
    scale="difference",
    request="queue",
    shown=Shown(one_sided=True),
)


def _in_mail(order: int) -> Shown:
    return Shown(order, mail=True, one_sided=True)


METRICS: Final = (
    _metric(
        "queue_pages",
        "pages",
        direction="none",
        definition="pages that the compression thread finished in the window",
    ),
    _metric(
        "queue_wait_p50_us",
        "us",
        definition="median time from queuing a page to the start of its compression",
        reduce="median",
        shown=_in_mail(300),
    ),
    _metric(
        "queue_wait_p99_us",
        "us",
        definition="99th percentile of the time from queuing a page to the start of its compression;"
        " needs at least 100 pages",
        reduce="median",
        shown=_in_mail(310),
    ),
    _metric(
        "queue_wait_max_us",
        "us",
        definition="longest time from queuing a page to the start of its compression",
        reduce="median",
    ),
    _metric(
        "queue_compress_us_per_page",
        "us/page",
        definition="mean time from the start of a page's compression to its completion",
    ),
    _metric(
        "queue_depth_max_pages",
        "pages",
        definition="most pages in the queue right after one was queued",
        reduce="median",
    ),
    _metric(
        "queue_fallback_share",
        "share",
        definition="share of offered pages that a full queue refused, so that kswapd compressed them",
        shown=_in_mail(320),
    ),
    _metric(
        "queue_inflight_mean_pages",
        "pages",
        definition="pages queued or being compressed, averaged over the time of the window",
        shown=_in_mail(330),
    ),
    _metric(
        "queue_inflight_max_kb",
        "KiB",
        definition="most memory held at one time by pages queued or being compressed",
        reduce="median",
    ),
    _metric(
        "queue_stall_max_ms",
        "ms",
        definition="longest time without a completion while at least one page was in flight",
        reduce="median",
        shown=_in_mail(340),
    ),
    _metric(
        "queue_same_filled_share",
        "share",
        direction="none",
        definition="share of same-filled pages among the pages that the thread finished",
    ),
    _metric(
        "queue_same_filled_trip_us",
        "us",
        definition="mean time from queuing a same-filled page to its completion, although zram does not"
        " compress it",
        shown=_in_mail(350),
    ),
    _metric(
        "queue_refaulted_pages",
        "pages",
        definition="pages found mapped again at their completion (a lower bound: a page that was unmapped"
        " again before is not seen)",
    ),
    _metric(
        "queue_refaulted_waiting_pages",
        "pages",
        definition="of queue_refaulted_pages, those found mapped when their compression started: it could"
        " have been cancelled",
    ),
    _metric("queue_write_errors", "pages", definition="pages that zram failed to store"),
)


@dataclass(frozen=True)
class Done:
    """Finished pages in the order of their completion; arrays of equal length, times in ns."""

    end: Nanoseconds
    wait: Nanoseconds
    compress: Nanoseconds

    @property
    def offer(self) -> Nanoseconds:
        """When each page was queued, ns."""
        return self.end - self.compress - self.wait


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; all unknown if the trace lacks these tracepoints."""
    why = recording.event_missing("kcompressd_queue", "kcompressd_done")
    if why is not None:
        return all_unknown(METRICS, why)
    table = recording.query_ints(__file__, "compression_queue", 10)
    window = recording.window
    inside = (table[:, 0] >= window.begin) & (table[:, 0] < window.end)
    is_done = table[:, 1] == 1
    every = table[is_done]
    done = table[is_done & inside]
    return {
        **_offers(table[~is_done & inside]),
        **_waits(done),
        **_in_flight(Done(every[:, 0], every[:, 4], every[:, 5]), window, recording.page_size),
        **_kinds(done),
    }


def _offers(offers: Nanoseconds) -> dict[str, Figure]:
    if not len(offers):
        return {
            "queue_depth_max_pages": Figure(0.0),
            "queue_fallback_share": unknown("no page was queued in the window"),
        }
    accepted = offers[:, 3] != 0
    return {
        "queue_depth_max_pages": Figure(float(offers[accepted, 2].max(initial=0))),
        "queue_fallback_share": Figure(float(np.mean(~accepted))),
    }


def _waits(done: Nanoseconds) -> dict[str, Figure]:
    waits_us = [float(ns) / 1e3 for ns in done[:, 4]]
    what = "pages went through the queue"
    return {
        "queue_pages": Figure(float(len(done))),
        "queue_wait_p50_us": percentile(waits_us, 0.50, minimum=2, what=what),
        "queue_wait_p99_us": percentile(waits_us, 0.99, minimum=100, what=what),
        "queue_wait_max_us": percentile(waits_us, 1.0, minimum=1, what=what),
        "queue_compress_us_per_page": _mean_us(done[:, 5], "no page went through the queue"),
    }


def _kinds(done: Nanoseconds) -> dict[str, Figure]:
    same = done[:, 6] != 0
    none = unknown("no page went through the queue")
    return {
        "queue_same_filled_share": Figure(float(np.mean(same))) if len(done) else none,
        "queue_same_filled_trip_us": _mean_us(
            done[same, 4] + done[same, 5], "no same-filled page went through the queue"
        ),
        "queue_refaulted_pages": Figure(float(np.count_nonzero(done[:, 8]))),
        "queue_refaulted_waiting_pages": Figure(float(np.count_nonzero(done[:, 7]))),
        "queue_write_errors": Figure(float(np.count_nonzero(done[:, 9]))),
    }


def _mean_us(times: Nanoseconds, otherwise: str) -> Figure:
    return Figure(float(np.mean(times)) / 1e3) if len(times) else unknown(otherwise)


def _in_flight(done: Done, window: Window, page_size: int | None) -> dict[str, Figure]:
    begin = np.clip(done.offer, window.begin, window.end)
    end = np.clip(done.end, window.begin, window.end)
    peak = _peak(begin, end)
    return {
        "queue_inflight_mean_pages": Figure(float(np.sum(end - begin)) / (window.end - window.begin)),
        "queue_inflight_max_kb": (
            unknown(NO_PAGE_SIZE) if page_size is None else Figure(peak * page_size / 1024)
        ),
        "queue_stall_max_ms": Figure(longest_stall(done.offer, done.end, window) / 1e6),
    }


def _peak(begin: Nanoseconds, end: Nanoseconds) -> int:
    """Most intervals open at one time; one that ends where another starts does not overlap it."""
    times = np.concatenate([begin, end])
    steps = np.concatenate([np.ones(len(begin), np.int64), -np.ones(len(end), np.int64)])
    order = np.lexsort((steps, times))
    return int(np.cumsum(steps[order]).max(initial=0))


def longest_stall(offer: Nanoseconds, end: Nanoseconds, window: Window) -> float:
    """Longest time in ns without a completion while a page was in flight, cut at the window's edges.

    ``offer`` and ``end`` are of the same pages. The wait for a completion starts at the completion
    before it, or when the oldest page still in flight was queued, if that is later.
    """
    if not len(end):
        return 0.0
    order = np.argsort(end, kind="stable")
    offer, end = offer[order], end[order]
    oldest = np.minimum.accumulate(offer[::-1])[::-1]
    previous = np.concatenate([[window.begin], end[:-1]])
    begin = np.maximum.reduce([previous, oldest, np.full(len(end), window.begin)])
    return float(np.max(np.minimum(end, window.end) - begin, initial=0))
