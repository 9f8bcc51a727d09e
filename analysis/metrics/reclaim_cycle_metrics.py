"""Definitions of the parts of a reclaim cycle, and of the models of its length (`reclaim_cycle`)."""

from __future__ import annotations

from functools import partial
from typing import Final

from analysis.metrics.reclaim_probes import NEEDS
from foundation.contract.metric import Metric, Shown

_SOURCE: Final = "calls of kernel functions (kprobes) and sched_switch: "
_TABLE: Final = "Parts of kswapd's reclaim cycles"
_PER_PAGE: Final = " / cycle_pages"
_ANON: Final = "shrink_folio_list on anonymous batches, isolate_lru_folios or isolate_folios before them,"


def _in_terminal(order: int) -> Shown:
    return Shown(order, terminal=True, side_by_side=_TABLE)


_metric = partial(
    Metric,
    direction="lower",
    family="reclaim cycle",
    needs=NEEDS,
    threshold=0.10,
    request="reclaim",
    shown=Shown(side_by_side=_TABLE),
)
_model = partial(_metric, direction="none", source=f"{_SOURCE}as the parts")
_step = partial(_metric, unit="us/page")

METRICS: Final = (
    _metric(
        "cycle_count",
        "cycles",
        direction="none",
        definition="reclaim cycles of kswapd (calls of balance_pgdat) that overlap the window",
        source=f"{_SOURCE}balance_pgdat",
    ),
    _metric(
        "cycle_pages",
        "pages",
        direction="none",
        definition="pages that kswapd passed to swap_writepage in its cycles",
        source=f"{_SOURCE}swap_writepage",
    ),
    _metric(
        "cycle_wall_ms",
        "ms",
        definition="total wall time of kswapd's cycles, cut at the edges of the window, less the cost of"
        " the probes",
        source=f"{_SOURCE}balance_pgdat",
    ),
    _metric(
        "t1_scan_unmap_ms",
        "ms",
        definition="CPU time of kswapd's cycles on anonymous pages except for zram's write: isolating,"
        " aging, checking references, adding to the swap cache, unmapping, queuing, freeing",
        source=f"{_SOURCE}{_ANON} shrink_active_list on anonymous lists, less zram's write",
    ),
    _metric(
        "t2_compress_ms",
        "ms",
        definition="CPU time of zram's write (compressing, allocating, copying) in kswapd's cycles and in"
        " compression threads, whose work counts for the latest cycle that had started",
        source=f"{_SOURCE}zram_bvec_rw or the function in its place",
    ),
    _metric(
        "t3_file_ms",
        "ms",
        definition="CPU time of kswapd's cycles on file pages: isolating, aging, reclaiming (shmem that was"
        " not swapped out counts here)",
        source=f"{_SOURCE}shrink_folio_list, isolate_lru_folios or isolate_folios, shrink_active_list on"
        " file lists",
        scale="difference",
    ),
    _metric(
        "t1_us_per_page",
        "us/page",
        definition=f"t1_scan_unmap_ms{_PER_PAGE}",
        source=f"{_SOURCE}as t1_scan_unmap_ms",
        shown=_in_terminal(170),
    ),
    _metric(
        "t2_us_per_page",
        "us/page",
        definition=f"t2_compress_ms{_PER_PAGE}",
        source=f"{_SOURCE}as t2_compress_ms",
        shown=_in_terminal(180),
    ),
    _metric(
        "t3_us_per_page",
        "us/page",
        definition=f"t3_file_ms{_PER_PAGE}",
        source=f"{_SOURCE}as t3_file_ms",
        scale="difference",
        shown=_in_terminal(190),
    ),
    _metric(
        "t2_in_kswapd_share",
        "share",
        direction="none",
        definition="share of t2_compress_ms that kswapd does itself: all of it without a compression"
        " thread, only the fallbacks with one",
        source=f"{_SOURCE}as t2_compress_ms",
        scale="difference",
    ),
    _model(
        "model_serial_ms",
        "ms",
        definition="sum of t1 + t2 + t3 over the cycles: their length if one thread does everything",
    ),
    _model(
        "model_overlapped_ms",
        "ms",
        definition="sum of max(t1 + t3, t2 / threads) over the cycles: their length if compression ran"
        " entirely in parallel with kswapd (one thread is assumed if none compressed)",
    ),
    _model(
        "model_split_ms",
        "ms",
        definition="sum of max(t1 + t3 + t2 in kswapd, t2 in the busiest thread) over the cycles: the"
        " overlapped model with the work where it was really done",
    ),
    _model(
        "model_serial_residual_share",
        "share",
        definition="(cycle_wall_ms - model_serial_ms) / cycle_wall_ms: what the serial model leaves"
        " unexplained; below 0 the cycles are shorter than the model",
        scale="difference",
        shown=_in_terminal(200),
    ),
    _model(
        "model_overlapped_residual_share",
        "share",
        definition="(cycle_wall_ms - model_overlapped_ms) / cycle_wall_ms: what the overlapped model leaves"
        " unexplained",
        scale="difference",
        shown=_in_terminal(210),
    ),
    _model(
        "model_split_residual_share",
        "share",
        definition="(cycle_wall_ms - model_split_ms) / cycle_wall_ms: what the split model leaves"
        " unexplained",
        scale="difference",
        shown=_in_terminal(220),
    ),
    _metric(
        "cycle_other_cpu_ms",
        "ms",
        definition="CPU time of the cycles outside t1, t2 and t3: shrinkers, memory cgroup iteration,"
        " putting pages back on the LRU, compaction, MGLRU's aging walk",
        source=f"{_SOURCE}balance_pgdat less the parts",
    ),
    _metric(
        "cycle_waiting_ms",
        "ms",
        definition="time within the cycles in which kswapd was not on a CPU: preempted or blocked",
        source=f"{_SOURCE}balance_pgdat",
        scale="difference",
    ),
    _step(
        "step_scan_us_per_page",
        definition=f"(t1_scan_unmap_ms less the steps below){_PER_PAGE}: isolating, aging, checking"
        " references, work for each batch",
        source=f"{_SOURCE}t1_scan_unmap_ms less the steps",
    ),
    _step(
        "step_add_to_swap_us_per_page",
        definition=f"CPU time of adding pages to the swap cache{_PER_PAGE}",
        source=f"{_SOURCE}add_to_swap in anonymous batches",
    ),
    _step(
        "step_unmap_us_per_page",
        definition=f"CPU time of unmapping pages{_PER_PAGE}",
        source=f"{_SOURCE}try_to_unmap in anonymous batches",
    ),
    _step(
        "step_flush_us_per_page",
        definition=f"CPU time of batched TLB flushes on other CPUs after unmapping{_PER_PAGE}; unknown if"
        " unmapping itself flushes",
        source=f"{_SOURCE}try_to_unmap_flush_dirty, try_to_unmap_flush",
    ),
    _step(
        "step_write_out_us_per_page",
        definition=f"CPU time of swap_writepage in kswapd{_PER_PAGE}: includes zram's write if kswapd does"
        " it, only queuing the page if a compression thread does",
        source=f"{_SOURCE}swap_writepage in anonymous batches",
    ),
    _step(
        "step_clear_us_per_page",
        definition=f"CPU time of removing stored pages from the swap cache{_PER_PAGE}",
        source=f"{_SOURCE}__remove_mapping in anonymous batches",
    ),
    _metric(
        "probe_cost_share",
        "share",
        direction="none",
        definition="estimated share of kswapd's CPU time in the cycles spent on the probes themselves; all"
        " figures above are corrected for it",
        source=f"{_SOURCE}how much longer getppid takes with a probe, times the calls",
        scale="difference",
    ),
)
