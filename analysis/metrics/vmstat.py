"""Differences of /proc/vmstat counters over the window, and ratios of them."""

from __future__ import annotations

from typing import Final

from analysis.trace.figure import Figure, ratio, unknown
from analysis.trace.recording import Recording
from foundation.comparison import Direction, Scale
from foundation.contract import conventions as names
from foundation.contract.metric import TABLE_ONLY, Metric, Shown
from foundation.contract.needs import Needs

_SOURCE: Final = "/proc/vmstat (mm/vmstat.c, include/linux/vm_event_item.h)"
_FAMILY: Final = "vmstat"

#: One counter a zone; kernels before 4.10 have the plain name. All that exist are summed.
ALLOCSTALL_KEYS: Final = (
    "allocstall",
    "allocstall_dma",
    "allocstall_dma32",
    "allocstall_normal",
    "allocstall_high",
    "allocstall_movable",
    "allocstall_device",
)


def _delta(
    name: str,
    unit: str,
    direction: Direction,
    meaning: str,
    *,
    threshold: float = 0.05,
    scale: Scale = "ratio",
    shown: Shown = TABLE_ONLY,
) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        direction=direction,
        family=_FAMILY,
        definition=f"{meaning}: {name} at the window's end minus at its begin",
        source=_SOURCE,
        needs=Needs(vmstat=frozenset({name})),
        threshold=threshold,
        scale=scale,
        count=True,
        shown=shown,
    )


#: Metrics that are the plain difference of the counter of the same name.
DELTAS: Final = (
    _delta("pgscan_kswapd", "pages", "none", "pages that kswapd scanned"),
    _delta("pgscan_direct", "pages", "lower", "pages that direct reclaim scanned", threshold=0.10),
    _delta("pgsteal_kswapd", "pages", "none", "pages that kswapd reclaimed"),
    _delta(
        "pgsteal_direct",
        "pages",
        "lower",
        "pages that direct reclaim reclaimed",
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
        "pages moved to the tail of the inactive list after writeback",
        scale="difference",
        shown=Shown(120, mail=True),
    ),
    _delta("workingset_refault_anon", "pages", "lower", "anonymous pages that came back after eviction"),
    _delta("workingset_refault_file", "pages", "lower", "file pages that came back after eviction"),
    _delta("pswpin", "pages", "none", "pages swapped in"),
    _delta("pswpout", "pages", "none", "pages swapped out", shown=Shown(90, mail=True)),
    _delta("pgmajfault", "faults", "lower", "major faults"),
    _delta(
        "oom_kill",
        "kills",
        "lower",
        "processes killed by the kernel for lack of memory",
        scale="difference",
    ),
)

METRICS: Final = (
    Metric(
        name="allocstall",
        unit="stalls",
        direction="lower",
        family=_FAMILY,
        definition="allocations that had to reclaim themselves: sum of allocstall_* of all zones, at the"
        " window's end minus at its begin",
        source=_SOURCE,
        needs=Needs(vmstat=frozenset(ALLOCSTALL_KEYS)),
        threshold=0.10,
        count=True,
        any_of=frozenset(ALLOCSTALL_KEYS),
        plain="allocation stalls",
    ),
    *DELTAS,
    Metric(
        name="pgsteal_anon_per_s",
        unit="pages/s",
        direction="none",
        family=_FAMILY,
        definition="pgsteal_anon for each second of the window",
        source=_SOURCE,
        needs=Needs(vmstat=frozenset({"pgsteal_anon"})),
        plain="anonymous pages reclaimed a second",
        shown=Shown(100, mail=True),
    ),
    Metric(
        name="reclaim_efficiency",
        unit="1",
        direction="higher",
        family=_FAMILY,
        definition="(pgsteal_kswapd + pgsteal_direct) / (pgscan_kswapd + pgscan_direct): the share of"
        " scanned pages that was reclaimed; pages under writeback are scanned again",
        source=_SOURCE,
        needs=Needs(
            vmstat=frozenset({"pgsteal_kswapd", "pgsteal_direct", "pgscan_kswapd", "pgscan_direct"})
        ),
        shown=Shown(130, mail=True),
    ),
    Metric(
        name="compression_queue_estimate_pages",
        unit="pages",
        direction="none",
        family=_FAMILY,
        definition="nr_vmscan_write - pswpout over the window: by how many pages the queue between the"
        " two grew, where the first counts when queued and the second when compressed. File pageout"
        " counts in the first as well, and a queue below swap_writepage() (in zram) does not show",
        source=_SOURCE,
        needs=Needs(vmstat=frozenset({"nr_vmscan_write", "pswpout"})),
        scale="difference",
        count=True,
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; a counter that the kernel or the trace lacks is unknown."""
    anon = recording.delta(names.vmstat("pgsteal_anon"))
    return {
        "allocstall": _allocstall(recording),
        **{metric.name: recording.delta(names.vmstat(metric.name)) for metric in DELTAS},
        "pgsteal_anon_per_s": ratio(anon, _seconds(recording), zero="the window is empty"),
        "reclaim_efficiency": ratio(
            _sum(recording, "pgsteal_kswapd", "pgsteal_direct"),
            _sum(recording, "pgscan_kswapd", "pgscan_direct"),
            zero="no page was scanned in the window",
        ),
        "compression_queue_estimate_pages": _queue(recording),
    }


def _allocstall(recording: Recording) -> Figure:
    present = [names.vmstat(key) for key in ALLOCSTALL_KEYS if names.vmstat(key) in recording.counters]
    if not present:
        return unknown("no allocstall counter is in the trace")
    return _added([recording.delta(counter) for counter in present])


def _sum(recording: Recording, *keys: str) -> Figure:
    return _added([recording.delta(names.vmstat(key)) for key in keys])


def _added(parts: list[Figure]) -> Figure:
    total = 0.0
    for part in parts:
        if part.value is None:
            return part
        total += part.value
    return Figure(total)


def _queue(recording: Recording) -> Figure:
    queued = recording.delta(names.vmstat("nr_vmscan_write"))
    written = recording.delta(names.vmstat("pswpout"))
    for part in (queued, written):
        if part.value is None:
            return part
    return Figure((queued.value or 0.0) - (written.value or 0.0))


def _seconds(recording: Recording) -> Figure:
    """Seconds between the two readings that a difference is made of."""
    found = recording.counters.get(names.vmstat("pgsteal_anon"))
    if found is None:
        return unknown("vmstat.pgsteal_anon is not in the trace")
    if recording.window.of_suite:
        return Figure(recording.window.seconds)
    return Figure((found.last_ns - found.first_ns) / 1e9)
