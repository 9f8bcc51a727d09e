"""Definitions of the parts of a reclaim cycle, and of the models of its length (`reclaim_cycle`)."""

from __future__ import annotations

from typing import Final

from analysis.metrics.reclaim_probes import NEEDS
from foundation.comparison import Direction, Scale
from foundation.contract.metric import Metric, Shown

_SOURCE: Final = "calls of kernel functions (kprobes) and sched_switch: "


def _metric(
    name: str,
    unit: str,
    definition: str,
    functions: str,
    direction: Direction = "lower",
    *,
    scale: Scale = "ratio",
    terminal: int = 0,
) -> Metric:
    """``terminal`` is the order in the terminal; 0: not there."""
    return Metric(
        name=name,
        unit=unit,
        direction=direction,
        family="reclaim cycle",
        definition=definition,
        source=_SOURCE + functions,
        needs=NEEDS,
        threshold=0.10,
        scale=scale,
        request="reclaim",
        shown=Shown(terminal, terminal=terminal > 0, side_by_side="Parts of kswapd's reclaim cycles"),
    )


_PER_PAGE: Final = ", for each page that kswapd wrote out in the cycles (cycle_pages)"
_ANON: Final = "shrink_folio_list on anonymous batches, isolate_lru_folios or isolate_folios before them,"

METRICS: Final = (
    _metric("cycle_count", "cycles", "reclaim cycles of kswapd in the window", "balance_pgdat", "none"),
    _metric("cycle_pages", "pages", "pages that kswapd wrote out in its cycles", "swap_writepage", "none"),
    _metric(
        "cycle_wall_ms",
        "ms",
        "length of kswapd's cycles in sum, cut at the window's edges, less the cost of the probes",
        "balance_pgdat",
    ),
    _metric(
        "t1_scan_unmap_ms",
        "ms",
        "CPU time of kswapd's cycles on anonymous pages, but for storing them in zram: isolating, aging,"
        " checking references, swap cache, unmapping, handing over, freeing",
        f"{_ANON} shrink_active_list on anonymous lists, less zram's write",
    ),
    _metric(
        "t2_compress_ms",
        "ms",
        "CPU time of zram's write of a page (compressing, allocating and copying), in kswapd's cycles and"
        " in compression threads; a thread's work counts for the last cycle that had begun",
        "zram_bvec_rw or the function in its place",
    ),
    _metric(
        "t3_file_ms",
        "ms",
        "CPU time of kswapd's cycles on pages of files: isolating, aging, reclaiming (shmem that was"
        " not swapped counts here)",
        "shrink_folio_list, isolate_lru_folios or isolate_folios, shrink_active_list on lists of files",
        scale="difference",
    ),
    _metric(
        "t1_us_per_page", "us/page", f"t1_scan_unmap_ms{_PER_PAGE}", "as t1_scan_unmap_ms", terminal=170
    ),
    _metric("t2_us_per_page", "us/page", f"t2_compress_ms{_PER_PAGE}", "as t2_compress_ms", terminal=180),
    _metric(
        "t3_us_per_page",
        "us/page",
        f"t3_file_ms{_PER_PAGE}",
        "as t3_file_ms",
        scale="difference",
        terminal=190,
    ),
    _metric(
        "t2_in_kswapd_share",
        "share",
        "part of t2_compress_ms that kswapd does itself: all without a compression thread, the fallbacks"
        " with one",
        "as t2_compress_ms",
        "none",
        scale="difference",
    ),
    _metric(
        "model_serial_ms",
        "ms",
        "t1 + t2 + t3, summed over the cycles: their length if one thread does all",
        "as the parts",
        "none",
    ),
    _metric(
        "model_overlapped_ms",
        "ms",
        "max(t1 + t3, t2 / threads) of each cycle, summed: their length if compressing ran wholly beside"
        " kswapd (one thread assumed where none compressed)",
        "as the parts",
        "none",
    ),
    _metric(
        "model_split_ms",
        "ms",
        "max(t1 + t3 + t2 in kswapd, t2 in the busiest thread) of each cycle, summed: the overlapped model"
        " with the work where it was really done",
        "as the parts",
        "none",
    ),
    _metric(
        "model_serial_residual_share",
        "share",
        "(cycle_wall_ms - model_serial_ms) / cycle_wall_ms: what the serial model leaves unexplained;"
        " below 0 the cycles are shorter than it says",
        "as the parts",
        "none",
        scale="difference",
        terminal=200,
    ),
    _metric(
        "model_overlapped_residual_share",
        "share",
        "(cycle_wall_ms - model_overlapped_ms) / cycle_wall_ms: what the overlapped model leaves"
        " unexplained",
        "as the parts",
        "none",
        scale="difference",
        terminal=210,
    ),
    _metric(
        "model_split_residual_share",
        "share",
        "(cycle_wall_ms - model_split_ms) / cycle_wall_ms: what the split model leaves unexplained",
        "as the parts",
        "none",
        scale="difference",
        terminal=220,
    ),
    _metric(
        "cycle_other_cpu_ms",
        "ms",
        "CPU time of the cycles in none of t1, t2, t3: shrinkers, walks over memory cgroups, putting pages"
        " back, compaction, the aging walk of the multi-generational LRU",
        "balance_pgdat less the parts",
    ),
    _metric(
        "cycle_waiting_ms",
        "ms",
        "time in the cycles in which kswapd was not on a CPU: preempted, or waiting",
        "balance_pgdat",
        scale="difference",
    ),
    _metric(
        "step_scan_us_per_page",
        "us/page",
        f"what t1 has besides the steps below: isolating, aging, checking references, batches{_PER_PAGE}",
        "t1_scan_unmap_ms less the steps",
    ),
    _metric(
        "step_add_to_swap_us_per_page",
        "us/page",
        f"CPU time of putting pages into the swap cache{_PER_PAGE}",
        "add_to_swap in anonymous batches",
    ),
    _metric(
        "step_unmap_us_per_page",
        "us/page",
        f"CPU time of unmapping{_PER_PAGE}",
        "try_to_unmap in anonymous batches",
    ),
    _metric(
        "step_flush_us_per_page",
        "us/page",
        f"CPU time of flushing the TLBs of other CPUs after unmapping{_PER_PAGE}; unknown where unmapping"
        " itself does it",
        "try_to_unmap_flush_dirty, try_to_unmap_flush",
    ),
    _metric(
        "step_write_out_us_per_page",
        "us/page",
        f"CPU time of kswapd's writing out{_PER_PAGE}: with zram's write where kswapd does that itself,"
        " handing over where a thread does it",
        "swap_writepage in anonymous batches",
    ),
    _metric(
        "step_clear_us_per_page",
        "us/page",
        f"CPU time of taking stored pages out of the swap cache{_PER_PAGE}",
        "__remove_mapping in anonymous batches",
    ),
    _metric(
        "probe_cost_share",
        "share",
        "estimated part of kswapd's CPU time in the cycles that recording the calls cost; it is taken"
        " off all figures above",
        "what getppid takes longer with a probe, times the calls",
        "none",
        scale="difference",
    ),
)
