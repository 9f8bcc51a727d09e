"""Names that the capture writes into a trace and the metrics read back.

One trace holds everything a metric needs. All timestamps are CLOCK_BOOTTIME in ns.
The suite adds to what the kernel recorded, as TrackEvent packets on global tracks:

* slice ``repetition`` on track ``reclaim-suite``: the measured window. It starts where
  the begin sample ended (``t_end_boot_ns``) and ends where the end sample started
  (``t_boot_ns``), so the sampling is outside the window.
* slice ``capture`` on track ``reclaim-suite capture``: the whole recording, with the facts
  that decide its validity (``CAPTURE_*`` annotations).
* a slice for each switch on track ``app switches``, named by the package.
* counter tracks with the exact values of each sample. Values of the begin and end
  samples lie exactly on the edges of the window.

A metric from counters is (last value at or before the window's end) minus (value at its
start). In the trace processor the counter tracks have type ``global_counter_track_event``
and unique names; Perfetto's own SysStats counters have other types (``vmstat``,
``meminfo``, ``psi``), other names and fewer keys. Slice tracks are matched by name: their
type differs between versions.
"""

from __future__ import annotations

import re
from typing import Final

FORMAT_VERSION: Final = 1

SUITE_TRACK: Final = "reclaim-suite"
REPETITION_SLICE: Final = "repetition"

CAPTURE_TRACK: Final = "reclaim-suite capture"
CAPTURE_SLICE: Final = "capture"

SWITCH_TRACK: Final = "app switches"

#: Debug annotations have the key ``debug.<name>`` in the ``args`` table.
ANNOTATION_PREFIX: Final = "debug."

#: Annotations of a switch slice: text, ms or absent, ms or absent, bool, int, int.
SWITCH_LAUNCH_STATE: Final = "launch_state"
SWITCH_TOTAL_TIME_MS: Final = "total_time_ms"
SWITCH_WAIT_TIME_MS: Final = "wait_time_ms"
SWITCH_KILLED_SINCE_LAST: Final = "killed_since_last"
SWITCH_INDEX: Final = "index"
SWITCH_ROUND: Final = "round"

#: Annotations of the capture slice.
CAPTURE_FORMAT_VERSION: Final = "format_version"
CAPTURE_BACKEND: Final = "backend"  # "perfetto"; "ftrace" in traces of an earlier recorder
CAPTURE_POLLER_PERIOD_MS: Final = "poller_period_ms"
CAPTURE_SAMPLES: Final = "samples"  # periodic samples in the window
CAPTURE_MAX_GAP_MS: Final = "max_gap_ms"  # longest time between two samples in the window
CAPTURE_LOSS: Final = "loss"  # one loss a line; empty if nothing was lost
CAPTURE_EVENTS: Final = "events"  # "group/name group/name" of what was recorded
CAPTURE_MISSING_EVENTS: Final = "missing_events"  # "group/name group/name": wanted, not on this kernel
CAPTURE_MISSING_SOURCES: Final = "missing_sources"  # poller sources that do not exist: "psi zram"
CAPTURE_THREADS: Final = "threads"  # "tid:comm tid:comm": threads with a role at the begin sample
CAPTURE_CLOCK: Final = "trace_clock"  # "boot"
CAPTURE_PROBES: Final = "probes"  # "name=symbol name=symbol": functions whose calls were recorded
CAPTURE_MISSING_PROBES: Final = "missing_probes"  # "name: why", one a line
CAPTURE_PROBE_COST_NS: Final = "probe_cost_ns"  # cost of recording one call, measured beforehand

#: Group of the events ``<name>_enter`` and ``<name>_exit`` of recorded calls; a number follows it.
PROBE_GROUP: Final = "reclaim_suite"
#: Probe on a cheap call that the capture makes itself to measure the cost of recording one.
PROBE_COST: Final = "probe_cost"

#: Counter tracks.
VMSTAT_PREFIX: Final = "vmstat."
MEMINFO_PREFIX: Final = "meminfo."
PSI_PREFIX: Final = "psi."
STAT_PREFIX: Final = "stat."
SCHEDSTAT_PREFIX: Final = "schedstat."
EXTRA_PREFIX: Final = "extra."

PSI_RESOURCES: Final = ("memory", "cpu", "io")

#: Fields of /sys/block/zramN/mm_stat and io_stat in order; older kernels have fewer, newer ones may
#: have more. Source: Documentation/admin-guide/blockdev/zram.rst.
ZRAM_MM_STAT: Final = (
    "orig_data_size",
    "compr_data_size",
    "mem_used_total",
    "mem_limit",
    "mem_used_max",
    "same_pages",
    "pages_compacted",
    "huge_pages",
    "huge_pages_since",
)
ZRAM_IO_STAT: Final = ("failed_reads", "failed_writes", "invalid_io", "notify_free")

#: Fields of the `cpu` line of /proc/stat, in USER_HZ ticks.
STAT_CPU: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

#: Those of them that are interrupts.
STAT_IRQ: Final = ("irq", "softirq")

_SCHEDSTAT: Final = re.compile(r"^schedstat\.(?P<comm>.+)-(?P<tid>\d+)\.(?P<field>run_ns|wait_ns|slices)$")


def vmstat(key: str) -> str:
    """Counter of one /proc/vmstat key, in the kernel's unit (pages or events)."""
    return f"{VMSTAT_PREFIX}{key}"


def meminfo_kb(key: str) -> str:
    """Counter of one /proc/meminfo key, in KiB."""
    return f"{MEMINFO_PREFIX}{key}_kb"


def psi_total_us(resource: str, line: str) -> str:
    """Cumulative stall time in us of ``memory|cpu|io`` and ``some|full``."""
    return f"{PSI_PREFIX}{resource}.{line}_total_us"


def psi_avg10(resource: str, line: str) -> str:
    """Percentage of the last 10 s in stall."""
    return f"{PSI_PREFIX}{resource}.{line}_avg10"


def zram_mm_stat(disk: str, field: str) -> str:
    """One of `ZRAM_MM_STAT` of a disk such as ``zram0``, in the kernel's unit (bytes or pages)."""
    return f"{disk}.mm_stat.{field}"


def zram_io_stat(disk: str, field: str) -> str:
    """One of `ZRAM_IO_STAT` of a disk such as ``zram0``."""
    return f"{disk}.io_stat.{field}"


def schedstat(comm: str, tid: int, field: str) -> str:
    """/proc/PID/schedstat of a thread: ``run_ns``, ``wait_ns`` (runnable, not running), ``slices``."""
    return f"{SCHEDSTAT_PREFIX}{comm}-{tid}.{field}"


def parse_schedstat(name: str) -> tuple[str, int, str] | None:
    """Split a `schedstat` counter name into (comm, tid, field); None for any other name."""
    match = _SCHEDSTAT.match(name)
    return match and (match["comm"], int(match["tid"]), match["field"])


def stat_ticks(field: str) -> str:
    """One of `STAT_CPU` of the whole machine, in USER_HZ ticks."""
    return f"{STAT_PREFIX}{field}_ticks"


def probe_events(name: str) -> tuple[str, str]:
    """Names of the entry and return events of a recorded function."""
    return f"{name}_enter", f"{name}_exit"


def extra(path: str) -> str:
    """Counter of a file that holds one number, by its path on the device."""
    return f"{EXTRA_PREFIX}{path}"
