"""Kernels as phones run them: what uname, tracefs, /proc and /sys show of each.

Form of the release: source.android.com/docs/core/architecture/kernel/gki-versioning; before the
generic kernel image it is the vendor's own. Which events a kernel has: include/trace/events of
its version (vmscan.h, sched.h, oom.h); ``sched_blocked_reason`` is Android's. Keys of vmstat:
mm/vmstat.c (``workingset_refault_anon`` since 5.9, ``pgscan_anon`` since 5.8). PSI is in every
one (backported to the Android kernels). ``lru_gen`` came to android13-5.10, and is on by default
in android14's kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

_EVENTS: Final = frozenset(
    (
        "ftrace/print",
        "kmem/rss_stat",
        "oom/mark_victim",
        "oom/oom_score_adj_update",
        "power/cpu_frequency",
        "power/cpu_idle",
        "sched/sched_blocked_reason",
        "sched/sched_process_exit",
        "sched/sched_process_free",
        "sched/sched_switch",
        "sched/sched_wakeup",
        "sched/sched_wakeup_new",
        "sched/sched_waking",
        "task/task_newtask",
        "task/task_rename",
        "vmscan/mm_vmscan_direct_reclaim_begin",
        "vmscan/mm_vmscan_direct_reclaim_end",
        "vmscan/mm_vmscan_kswapd_sleep",
        "vmscan/mm_vmscan_kswapd_wake",
        "vmscan/mm_vmscan_lru_shrink_inactive",
        "vmscan/mm_vmscan_wakeup_kswapd",
    )
)

_VMSTAT: Final = (
    "nr_free_pages",
    "nr_vmscan_write",
    "nr_vmscan_immediate_reclaim",
    "pgpgin",
    "pgpgout",
    "pswpin",
    "pswpout",
    "allocstall_dma32",
    "allocstall_normal",
    "allocstall_movable",
    "pgmajfault",
    "pgsteal_kswapd",
    "pgsteal_direct",
    "pgscan_kswapd",
    "pgscan_direct",
    "kswapd_low_wmark_hit_quickly",
    "kswapd_high_wmark_hit_quickly",
    "pgrotated",
    "oom_kill",
)
_VMSTAT_OLD: Final = (*_VMSTAT, "workingset_refault", "workingset_activate")
_VMSTAT_5_10: Final = (
    *_VMSTAT,
    "workingset_refault_anon",
    "workingset_refault_file",
    "pgscan_anon",
    "pgscan_file",
    "pgsteal_anon",
    "pgsteal_file",
)


@dataclass(frozen=True)
class Parameter:
    """A file of /proc/sys or /sys: a number in a range, or a flag (Y, N); read-only if not ``writable``."""

    value: str
    low: int = 0
    high: int = 2**31 - 1
    writable: bool = True


@dataclass(frozen=True)
class Kernel:
    """``lru_gen`` is what /sys/kernel/mm/lru_gen/enabled holds, None without it; ``threads`` are
    kernel threads beyond kswapd; ``parameters`` map paths to what is there; ``kprobes``:
    CONFIG_KPROBES, set in gki_defconfig since android12-5.10."""

    release: str
    version: str
    lru_gen: str | None
    events: frozenset[str] = _EVENTS
    vmstat: tuple[str, ...] = _VMSTAT_5_10
    threads: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    kprobes: bool = True

    @property
    def has_sized_huge_pages(self) -> bool:
        """Sizes of transparent huge pages with switches of their own: 6.8, and Android's 6.6."""
        major, minor = self.release.split(".")[:2]
        return (int(major), int(minor)) >= (6, 6)


_BUILT: Final = "#1 SMP PREEMPT Thu Mar 14 02:21:05 UTC 2024"

_STOCK: Final = {
    29: Kernel("4.14.117-g0123456789ab-ab6345363", _BUILT, None, vmstat=_VMSTAT_OLD, kprobes=False),
    30: Kernel("4.19.113-g1a2b3c4d5e6f-ab7194541", _BUILT, None, vmstat=_VMSTAT_OLD, kprobes=False),
    31: Kernel("5.4.147-android11-2-gb5c3d2e1f0a9", _BUILT, None, vmstat=_VMSTAT_OLD, kprobes=False),
    33: Kernel("5.10.157-android13-4-00003-gdd4d3bbc2ca3-ab9915337", _BUILT, "0x0000"),
    34: Kernel("5.15.110-android14-11-00098-g0a1b2c3d4e5f-ab11017535", _BUILT, "0x0007"),
    35: Kernel("6.1.75-android14-11-g6a1b5c4d3e2f-ab12077835", _BUILT, "0x0007"),
    36: Kernel("6.6.66-android15-8-gcc99c0ffee11-ab13050921", _BUILT, "0x0007"),
}


def stock(api: int) -> Kernel:
    """The kernel that a phone of that API level came with."""
    return _STOCK[api]


def kcompressd(
    kernel: Kernel, switch: Literal["sysctl", "parameter", "module", "none"] = "sysctl"
) -> Kernel:
    """``kernel`` with a compression thread, and the switch of one of its ports.

    ``sysctl``: vm.kcompressd 0 to 256, 0 is off (the unofficial port, mm/page_io.c);
    ``parameter``: kcompressd_enabled of a module (an experimental port of v1);
    ``module``: v1's read-only parameters (drivers/block/zram/kcompressd.c, 2025-03-07);
    ``none``: mm/page_io.c of 2025-04-30, which has no switch.
    """
    parameters = "/sys/module/kcompressd/parameters"
    switches: dict[str, dict[str, Parameter]] = {
        "sysctl": {"/proc/sys/vm/kcompressd": Parameter("24", 0, 256)},
        "parameter": {f"{parameters}/kcompressd_enabled": Parameter("Y")},
        "module": {
            f"{parameters}/nr_kcompressd": Parameter("1", writable=False),
            f"{parameters}/queue_size_per_kcompressd": Parameter("4096", writable=False),
        },
        "none": {},
    }
    per_node = switch in ("sysctl", "none")
    thread = "kcompressd0" if per_node else "kcompressd:0"
    return replace(
        kernel,
        release=f"{kernel.release}-kcompressd",
        threads=(*kernel.threads, thread),
        parameters={**kernel.parameters, **switches[switch]},
    )
