"""All CPU time spent on reclaim, and its cost for each page swapped out."""

from __future__ import annotations

from typing import Final

from analysis.metrics import direct_reclaim, thread_cpu, vmstat
from analysis.trace.figure import Figure, ratio
from analysis.trace.recording import Recording, as_int
from foundation.contract import conventions as names
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs

#: Part of the sum -> whether the sum is unknown without it.
_SUM: Final = {
    "kswapd_cpu_ms": True,
    "compression_cpu_ms": True,
    "direct_reclaim_cpu_ms": True,
    # Most devices have no such thread, and a trace of another recorder cannot prove it.
    "vendor_reclaim_cpu_ms": False,
}

#: From this share on the figures a page are cautioned; kswapd without a compression thread stays below it.
ELSEWHERE_SHARE: Final = 0.05

_PARTS: Final = Needs.union(
    metric.needs for metric in (*thread_cpu.METRICS, *direct_reclaim.METRICS) if metric.name in _SUM
)

METRICS: Final = (
    Metric(
        name="reclaim_cpu_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="kswapd_cpu_ms + compression_cpu_ms + vendor_reclaim_cpu_ms + direct_reclaim_cpu_ms:"
        " a compression thread moves CPU time, it does not remove it",
        source="sum of the parts",
        needs=_PARTS,
        shown=Shown(20, terminal=True, mail=True),
    ),
    Metric(
        name="reclaim_cpu_us_per_page",
        unit="us/page",
        direction="lower",
        family="reclaim CPU",
        definition="reclaim_cpu_ms / pages swapped out in the window (pswpout)",
        source="sum of the parts; pswpout of /proc/vmstat",
        needs=_PARTS | Needs(vmstat=frozenset({"pswpout"})),
        plain="reclaim CPU per page swapped out, compression included",
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; TraceError as in `thread_cpu.compute`."""
    parts = recording.figures(thread_cpu.compute) | recording.figures(direct_reclaim.compute)
    total = _total(parts)
    if total.value is not None:
        total = total.cautioned(_unseen(recording))
    per_page = ratio(
        total,
        recording.delta(names.vmstat("pswpout")),
        factor=1e3,
        zero="no page was swapped out in the window",
    )
    return {
        "reclaim_cpu_ms": total,
        "reclaim_cpu_us_per_page": per_page.cautioned(_elsewhere(recording, per_page.reason)),
    }


def _total(parts: dict[str, Figure]) -> Figure:
    total = 0.0
    for name, required in _SUM.items():
        part = parts[name]
        if part.value is not None:
            total += part.value
        elif required:
            return part
    return Figure(total)


def _elsewhere(recording: Recording, caution: str | None) -> str | None:
    """``caution``, and another if kswapd and direct reclaim did not free many of the pages swapped out."""
    share = vmstat.swapped_out_elsewhere(recording).value
    if share is None or share <= ELSEWHERE_SHARE:
        return caution
    said = (
        f"{share:.0%} of the pages swapped out were freed by neither kswapd nor direct reclaim: app"
        " compaction, a memory cgroup or a vendor's daemon may have paged them out, and its CPU time is not"
        " in this sum; or they were in use again before they were freed"
    )
    return said if caution is None else f"{caution}; {said}"


def _unseen(recording: Recording) -> str | None:
    """A caution if pages were swapped out while no known thread was at work.

    Compression on a workqueue appears only as kworker threads, which do other work as well.
    """
    workers = recording.with_role("reclaim", "compression", "vendor_reclaim")
    ((unseen, swapped),) = recording.query(
        __file__,
        "unseen_swap_out",
        utids=[thread.utid for thread in workers],
        counter_type="global_counter_track_event" if recording.window.of_suite else "vmstat",
        counter_name=names.vmstat("pswpout") if recording.window.of_suite else "pswpout",
    )
    pages = as_int(unseen or 0)
    if not pages:
        return None
    return (
        f"{pages} of {as_int(swapped or 0)} pages were swapped out while no thread with a role ran and"
        " no thread was in direct reclaim: a kworker may compress, and its CPU time is not in this sum"
    )
