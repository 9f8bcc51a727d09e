"""The queue in front of the compression thread: how long, how deep, how often full, ever stuck.

Known where the kernel has the tracepoints kcompressd_queue and kcompressd_done, as the suite's
own implementations have, and where they were asked for: two events a page cost CPU.
A page is in flight from its offer until it is stored: it is then still in memory although
kswapd has unmapped it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.trace.figure import Figure, percentile, unknown
from analysis.trace.recording import (
    Recording,
    Window,
    sql_of,
    whole,
)
from foundation.comparison import Direction
from foundation.contract.metric import Metric, Reduce, Shown
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(
    ftrace_events=frozenset({"zram_kcompressd/kcompressd_queue", "zram_kcompressd/kcompressd_done"})
)
_SOURCE: Final = "kcompressd_queue, kcompressd_done (tracepoints of the suite's compression threads)"

Nanoseconds = npt.NDArray[np.int64]


def _metric(
    name: str,
    unit: str,
    definition: str,
    direction: Direction = "lower",
    *,
    reduce: Reduce = "mean",
    mail: int = 0,
) -> Metric:
    """``mail`` is the order in the mail; 0: not there."""
    return Metric(
        name=name,
        unit=unit,
        direction=direction,
        family="compression queue",
        definition=definition,
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        reduce=reduce,
        scale="difference",
        request="queue",
        shown=Shown(mail, mail=mail > 0, one_sided=True),
    )


METRICS: Final = (
    _metric("queue_pages", "pages", "pages that the thread was done with in the window", "none"),
    _metric(
        "queue_wait_p50_us",
        "us",
        "median time from a page's offer to the begin of its compression",
        reduce="median",
        mail=300,
    ),
    _metric(
        "queue_wait_p99_us",
        "us",
        "99th percentile of the time from offer to begin of compression, known from 100 pages on",
        reduce="median",
        mail=310,
    ),
    _metric(
        "queue_wait_max_us",
        "us",
        "longest time from a page's offer to the begin of its compression",
        reduce="median",
    ),
    _metric("queue_compress_us_per_page", "us/page", "mean time from begin to end of a compression"),
    _metric(
        "queue_depth_max_pages", "pages", "most pages waiting just after an accepted offer", reduce="median"
    ),
    _metric(
        "queue_fallback_share",
        "share",
        "offers refused because the queue was full, of all offers: kswapd then compresses itself",
        mail=320,
    ),
    _metric(
        "queue_inflight_mean_pages",
        "pages",
        "pages between offer and end of compression, mean over the window's time",
        mail=330,
    ),
    _metric(
        "queue_inflight_max_kb",
        "KiB",
        "most memory held at one time by pages between offer and end of compression",
        reduce="median",
    ),
    _metric(
        "queue_stall_max_ms",
        "ms",
        "longest span in which at least one page was in flight and none was finished",
        reduce="median",
        mail=340,
    ),
    _metric(
        "queue_same_filled_share",
        "share",
        "pages filled with one repeated word, of all pages that the thread was done with",
        "none",
    ),
    _metric(
        "queue_same_filled_trip_us",
        "us",
        "mean time from offer to end of a same-filled page, whose storing needs no compression",
        mail=350,
    ),
    _metric(
        "queue_refaulted_pages",
        "pages",
        "pages mapped again by the time they were stored (a lower bound: one that was unmapped again is"
        " not seen)",
    ),
    _metric(
        "queue_refaulted_waiting_pages",
        "pages",
        "of those, pages mapped before their compression began: it could have been cancelled",
    ),
    _metric("queue_write_errors", "pages", "pages that could not be stored"),
)


@dataclass(frozen=True)
class Done:
    """Finished pages by the end of their compression; arrays of one length, times in ns."""

    end: Nanoseconds
    wait: Nanoseconds
    compress: Nanoseconds

    @property
    def offer(self) -> Nanoseconds:
        return self.end - self.compress - self.wait


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; all unknown where the kernel has no such tracepoints."""
    if not (recording.event_recorded("kcompressd_queue") and recording.event_recorded("kcompressd_done")):
        why = unknown("the trace does not record kcompressd_queue and kcompressd_done")
        return {metric.name: why for metric in METRICS}
    cells = [
        [0 if cell is None else whole(cell) for cell in row]
        for row in recording.session.rows(sql_of(__file__, "compression_queue"))
    ]
    table = np.array(cells, dtype=np.int64).reshape(-1, 10)
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
            "queue_fallback_share": unknown("no page was offered to the queue in the window"),
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
            unknown("the trace does not say the page size")
            if page_size is None
            else Figure(peak * page_size / 1024)
        ),
        "queue_stall_max_ms": Figure(longest_stall(done.offer, done.end, window) / 1e6),
    }


def _peak(begin: Nanoseconds, end: Nanoseconds) -> int:
    """Most intervals open at one time; one that ends where another begins is not open with it."""
    times = np.concatenate([begin, end])
    steps = np.concatenate([np.ones(len(begin), np.int64), -np.ones(len(end), np.int64)])
    order = np.lexsort((steps, times))
    return int(np.cumsum(steps[order]).max(initial=0))


def longest_stall(offer: Nanoseconds, end: Nanoseconds, window: Window) -> float:
    """Longest time in ns without a completion while a page was in flight, cut at the window's edges.

    ``offer`` and ``end`` are of the same pages. The wait for a completion begins at the
    completion before it, or at the first offer of a page that is still in flight if that is later.
    """
    if not len(end):
        return 0.0
    order = np.argsort(end, kind="stable")
    offer, end = offer[order], end[order]
    oldest = np.minimum.accumulate(offer[::-1])[::-1]
    previous = np.concatenate([[window.begin], end[:-1]])
    begin = np.maximum.reduce([previous, oldest, np.full(len(end), window.begin)])
    return float(np.max(np.minimum(end, window.end) - begin, initial=0))
