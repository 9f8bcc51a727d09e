"""The kernel functions that time a reclaim cycle (mm/vmscan.c and what it calls)."""

from __future__ import annotations

from typing import Final

from foundation.contract.conventions import PROBE_COST
from foundation.contract.needs import Needs, Probe

#: One reclaim cycle of kswapd: from its wake-up until the watermarks are met or it gives up.
CYCLE: Final = Probe("balance_pgdat", ("balance_pgdat",))

#: One batch of up to 64 isolated pages of one LRU list. ``mapping`` is that of its first page
#: (struct page: flags, lru, mapping, on all 64-bit kernels); bit 0 marks an anonymous page.
BATCH: Final = Probe(
    "shrink_folio_list",
    ("shrink_folio_list", "shrink_page_list"),
    arguments=("mapping=+16(+0($arg1)):x64",),
)
#: Isolates a batch from its list: classic LRU, MGLRU.
ISOLATE: Final = (
    Probe("isolate_lru_folios", ("isolate_lru_folios", "isolate_lru_pages")),
    Probe("isolate_folios", ("isolate_folios", "isolate_pages")),
)
#: Ages a batch of one active list; ``lru`` is enum lru_list, below 2 is anonymous.
AGE: Final = Probe("shrink_active_list", ("shrink_active_list",), arguments=("lru=$arg4:u32",))

#: The four steps of swapping one page out.
ADD: Final = Probe("add_to_swap", ("add_to_swap",))
UNMAP: Final = Probe("try_to_unmap", ("try_to_unmap",))
#: Batched TLB flushes on other CPUs (x86; arm64 in 6.1 flushes as it unmaps): before a dirty page is
#: written, and at the end of a batch.
FLUSH: Final = (
    Probe("try_to_unmap_flush_dirty", ("try_to_unmap_flush_dirty",)),
    Probe("try_to_unmap_flush", ("try_to_unmap_flush",)),
)
WRITE: Final = Probe("swap_writepage", ("swap_writepage", "swap_writeout"), arguments=("page=$arg1:x64",))
CLEAR: Final = Probe("remove_mapping", ("__remove_mapping",))

#: zram stores one page: checks whether it is same-filled, compresses, allocates, copies. Called by
#: kswapd or a compression thread, in every kernel. ``page`` is the first word of its struct bio_vec,
#: or an argument of its own.
STORE: Final = Probe(
    "zram_store",
    ("zram_bvec_rw", "zram_write_page", "zram_bvec_write", "__zram_bvec_write"),
    arguments=("page=+0($arg2):x64",),
    own_arguments=(("zram_write_page", ("page=$arg2:x64",)),),
)
COST: Final = Probe(
    PROBE_COST, ("__x64_sys_getppid", "__arm64_sys_getppid", "sys_getppid"), everywhere=True
)

ALL: Final = (CYCLE, BATCH, *ISOLATE, AGE, ADD, UNMAP, *FLUSH, WRITE, CLEAR, STORE, COST)
NEEDS: Final = Needs(ftrace_events=frozenset({"sched/sched_switch"}), probes=frozenset(ALL))
