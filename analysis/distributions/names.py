"""Names and units of the distributions and series; importing them needs no trace."""

from __future__ import annotations

from typing import Final

DIRECT_RECLAIM: Final = "direct_reclaim_ms"
#: Launch class -> distribution.
SWITCHES: Final = {
    "hot": "switch_latency_hot_ms",
    "warm": "switch_latency_warm_ms",
    "cold": "switch_latency_cold_ms",
}

#: Series -> unit, in report order.
SERIES: Final = {
    "kswapd_cpu_share": "% of a CPU",
    "compression_cpu_share": "% of a CPU",
    "queue_pages": "pages",
    "free_memory_mb": "MiB",
    "psi_memory_some_share": "% of time",
    "direct_reclaim_tasks": "tasks",
}
