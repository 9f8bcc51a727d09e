"""Differences of /proc/vmstat counters over the window, and ratios of them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from analysis.trace.figure import Figure, ratio, total, unknown
from analysis.trace.recording import Recording
from foundation.comparison import Direction
from foundation.contract import conventions as names
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs

#: One counter for each zone; kernels before 4.10 have the plain name. All that exist are summed.
ALLOCSTALL_KEYS: Final = (
    "allocstall",
    "allocstall_dma",
    "allocstall_dma32",
    "allocstall_normal",
    "allocstall_high",
    "allocstall_movable",
    "allocstall_device",
)


_metric = partial(
    Metric, family="vmstat", source="/proc/vmstat (mm/vmstat.c, include/linux/vm_event_item.h)"
)


def _delta(name: str, unit: str, direction: Direction, meaning: str, **options: Any) -> Metric:
    """The difference of the counter ``name``; ``options`` are further fields of the metric."""
    return _metric(
        name,
        unit,
        direction=direction,
        definition=f"{meaning}: {name} at the end of the window minus at its start",
        needs=Needs(vmstat=frozenset({name})),
        count=True,
        **options,
    )


#: Metrics that are the plain difference of the counter of the same name.
DELTAS: Final = (
    _delta("pgscan_kswapd", "pages", "none", "pages scanned by kswapd"),
    _delta("pgscan_direct", "pages", "lower", "pages scanned by direct reclaim", threshold=0.10),
    _delta("pgsteal_kswapd", "pages", "none", "pages reclaimed by kswapd"),
    _delta(
        "pgsteal_direct",
        "pages",
        "lower",
        "pages reclaimed by direct reclaim",
        threshold=0.10,
        shown=Shown(110, mail=True),
    ),
    _delta("pgscan_anon", "pages", "none", "anonymous pages scanned"),
    _delta("pgscan_file", "pages", "none", "file pages scanned"),
    _delta("pgsteal_anon", "pages", "none", "anonymous pages reclaimed"),
    _delta("pgsteal_file", "pages", "none", "file pages reclaimed"),
    _delta(
        "pgrotated",
        "pages",
        "none",
        "pages rotated to the tail of the inactive list when their writeback ended",
        scale="difference",
        shown=Shown(120, mail=True),
    ),
    _delta("workingset_refault_anon", "pages", "lower", "refaults of anonymous pages"),
    _delta("workingset_refault_file", "pages", "lower", "refaults of file pages"),
    _delta("pswpin", "pages", "none", "pages swapped in"),
    _delta("pswpout", "pages", "none", "pages swapped out", shown=Shown(90, mail=True)),
    _delta("pgmajfault", "faults", "lower", "major faults"),
    _delta("oom_kill", "kills", "lower", "processes killed by the OOM killer", scale="difference"),
)

METRICS: Final = (
    _metric(
        "allocstall",
        "stalls",
        direction="lower",
        definition="entries into direct reclaim: sum of allocstall_* over all zones, at the end of the"
        " window minus at its start",
        needs=Needs(vmstat=frozenset(ALLOCSTALL_KEYS)),
        threshold=0.10,
        count=True,
        any_of=frozenset(ALLOCSTALL_KEYS),
        plain="allocation stalls",
    ),
    *DELTAS,
    _metric(
        "pgsteal_anon_per_s",
        "pages/s",
        direction="none",
        definition="pgsteal_anon / seconds of the window",
        needs=Needs(vmstat=frozenset({"pgsteal_anon"})),
        plain="anonymous pages reclaimed a second",
        shown=Shown(100, mail=True),
    ),
    _metric(
        "reclaim_efficiency",
        "1",
        direction="higher",
        definition="(pgsteal_kswapd + pgsteal_direct) / (pgscan_kswapd + pgscan_direct): the share of"
        " scanned pages that were reclaimed; a page under writeback is scanned again",
        needs=Needs(
            vmstat=frozenset({"pgsteal_kswapd", "pgsteal_direct", "pgscan_kswapd", "pgscan_direct"})
        ),
        shown=Shown(130, mail=True),
    ),
    _metric(
        "swap_out_elsewhere_share",
        "1",
        direction="none",
        definition="1 - min(pgsteal_anon, pgsteal_kswapd + pgsteal_direct) / pswpout, at least 0: of the"
        " pages swapped out, the share that neither kswapd nor direct reclaim freed. They were paged out by"
        " someone else (app compaction by MADV_PAGEOUT, a memory cgroup, a vendor's daemon), whose CPU time"
        " is in no figure here, or a compression thread wrote them and they were in use again before they"
        " were freed. A lower bound: pages that need no new writing are freed as well",
        needs=Needs(vmstat=frozenset({"pgsteal_anon", "pgsteal_kswapd", "pgsteal_direct", "pswpout"})),
        scale="difference",
        plain="share of swapped-out pages that neither kswapd nor direct reclaim freed",
        shown=Shown(95, mail=True),
    ),
    _metric(
        "compression_queue_estimate_pages",
        "pages",
        direction="none",
        definition="nr_vmscan_write - pswpout over the window: growth of the queue between the two, if the"
        " first counts at queuing and the second at compression. Writeback of file pages counts in the"
        " first as well, and a queue below swap_writepage() (in zram) does not show",
        needs=Needs(vmstat=frozenset({"nr_vmscan_write", "pswpout"})),
        scale="difference",
        count=True,
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown for a counter that the kernel or the trace lacks."""
    anon = recording.delta(names.vmstat("pgsteal_anon"))
    queued, written = (recording.delta(names.vmstat(key)) for key in ("nr_vmscan_write", "pswpout"))
    return {
        "allocstall": _allocstall(recording),
        **{metric.name: recording.delta(names.vmstat(metric.name)) for metric in DELTAS},
        "pgsteal_anon_per_s": ratio(anon, _seconds(recording), zero="the window is empty"),
        "reclaim_efficiency": ratio(
            _sum(recording, "pgsteal_kswapd", "pgsteal_direct"),
            _sum(recording, "pgscan_kswapd", "pgscan_direct"),
            zero="no page was scanned in the window",
        ),
        "swap_out_elsewhere_share": swapped_out_elsewhere(recording),
        "compression_queue_estimate_pages": written
        if written.value is None
        else total((queued, Figure(-written.value))),
    }


def swapped_out_elsewhere(recording: Recording) -> Figure:
    """``swap_out_elsewhere_share``.

    shrink_inactive_list() and evict_folios() count what they free in pgsteal_anon; reclaim_pages() of
    MADV_PAGEOUT does not, and reclaim for a memory cgroup counts there but neither as kswapd nor as direct
    (mm/vmscan.c).
    """
    anon = recording.delta(names.vmstat("pgsteal_anon"))
    known = _sum(recording, "pgsteal_kswapd", "pgsteal_direct")
    if anon.value is None or known.value is None:
        return anon if anon.value is None else known
    freed = Figure(min(anon.value, known.value))
    share = ratio(
        freed, recording.delta(names.vmstat("pswpout")), zero="no page was swapped out in the window"
    )
    return share if share.value is None else Figure(max(0.0, 1.0 - share.value))


def _allocstall(recording: Recording) -> Figure:
    present = [names.vmstat(key) for key in ALLOCSTALL_KEYS if names.vmstat(key) in recording.counters]
    if not present:
        return unknown("no allocstall counter is in the trace")
    return total(recording.delta(counter) for counter in present)


def _sum(recording: Recording, *keys: str) -> Figure:
    return total(recording.delta(names.vmstat(key)) for key in keys)


def _seconds(recording: Recording) -> Figure:
    """Seconds between the two readings of pgsteal_anon."""
    counter = recording.counters.get(names.vmstat("pgsteal_anon"))
    if counter is None:
        return unknown("vmstat.pgsteal_anon is not in the trace")
    if recording.window.of_suite:
        return Figure(recording.window.seconds)
    return Figure((counter.last_ns - counter.first_ns) / 1e9)
