"""All CPU time that reclaim costs, and what one swapped-out page costs."""

from __future__ import annotations

from typing import Final

from analysis.metrics import direct_reclaim, thread_cpu
from analysis.metrics.definition import Metric, Needs

_PARTS: Final = Needs.union(
    metric.needs
    for metric in (*thread_cpu.METRICS, *direct_reclaim.METRICS)
    if metric.name
    in {"kswapd_cpu_ms", "compression_cpu_ms", "vendor_reclaim_cpu_ms", "direct_reclaim_cpu_ms"}
)

METRICS: Final = (
    Metric(
        name="reclaim_cpu_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="kswapd_cpu_ms + compression_cpu_ms + vendor_reclaim_cpu_ms + direct_reclaim_cpu_ms:"
        " a thread of its own moves CPU time, it does not remove it",
        source="sum of the parts",
        needs=_PARTS,
    ),
    Metric(
        name="reclaim_cpu_us_per_page",
        unit="us/page",
        direction="lower",
        family="reclaim CPU",
        definition="reclaim_cpu_ms for each page swapped out in the window (pswpout)",
        source="sum of the parts; pswpout of /proc/vmstat",
        needs=_PARTS | Needs(vmstat=frozenset({"pswpout"})),
    ),
)
