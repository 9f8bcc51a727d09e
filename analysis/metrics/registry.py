"""Every metric by name, in the order of reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final

from analysis.metrics import (
    app_switches,
    compression_queue,
    compression_scheduling,
    direct_reclaim,
    energy,
    pressure,
    reclaim_cycle,
    reclaim_total,
    swap_faults,
    thread_cpu,
    vmstat,
    window,
    zram,
)
from foundation.contract.metric import Catalogue, Metric
from foundation.contract.needs import Needs, Request
from foundation.errors import UsageError
from foundation.words import nearest

if TYPE_CHECKING:
    from analysis.trace.figure import Figure
    from analysis.trace.recording import Recording

#: The metrics that decide, fixed before the first block of any campaign.
PRIMARIES: Final = ("kswapd_cpu_ms", "reclaim_cpu_us_per_page", "allocstall")

#: Definitions of each family, and the function that computes them all from one recording.
FAMILIES: Final[tuple[tuple[tuple[Metric, ...], Callable[[Recording], dict[str, Figure]]], ...]] = tuple(
    (family.METRICS, family.compute)
    for family in (
        thread_cpu,
        reclaim_total,
        compression_queue,
        compression_scheduling,
        direct_reclaim,
        reclaim_cycle,
        swap_faults,
        vmstat,
        pressure,
        app_switches,
        zram,
        energy,
        window,
    )
)
_ALL: Final = {metric.name: metric for metrics, _ in FAMILIES for metric in metrics}


def catalogue() -> Catalogue:
    """All metrics as data, for the side that knows only what they need recorded."""
    return Catalogue(all_metrics(), PRIMARIES)


def light_metrics() -> dict[str, Metric]:
    """What a campaign records by default: every metric whose recording costs all kernels the same."""
    return requested_metrics(())


def requested_metrics(requests: Collection[Request]) -> dict[str, Metric]:
    """`light_metrics`, and the metrics that these requests add."""
    return {name: metric for name, metric in _ALL.items() if metric.request in (None, *requests)}


def all_metrics() -> dict[str, Metric]:
    """Every metric by name; a fresh dict."""
    return dict(_ALL)


def metric_named(name: str) -> Metric:
    """The metric of that name. UsageError, with the nearest name, if there is none."""
    metric = _ALL.get(name)
    if metric is None:
        near = nearest(name, _ALL)
        raise UsageError(
            f"there is no metric {name!r}",
            next_step=f"did you mean {near}?" if near else "list them with: analysis metrics --list",
        )
    return metric


def needs_of(names: Iterable[str]) -> Needs:
    """What must be recorded for these metrics. UsageError for an unknown name."""
    return Needs.union(metric_named(name).needs for name in names)
