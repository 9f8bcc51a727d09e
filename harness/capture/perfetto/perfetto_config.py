"""Perfetto's trace config, made from the needs of the metrics and the features of the device's service."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import MeminfoCounters, TraceConfig, VmstatCounters

from foundation.errors import UsageError
from harness.capture.perfetto.perfetto_service import (
    EMPTY_MEANS_ALL_SINCE_API,
    PerfettoService,
    known_fields,
)

_STATS_BUFFER_KB: Final = 8192
_DRAIN_PERIOD_MS: Final = 250
_WRITE_PERIOD_MS: Final = 2500
_FLUSH_PERIOD_MS: Final = 30000
#: The longest that the service accepts (kMaxTickPeriodMs in ftrace_controller.cc).
_DRAIN_PERIOD_MS_MAX: Final = 60000
#: The service writes its loss statistics only after one of these snapshots, up to v57.2
#: (should_emit_stats in tracing_service_impl.cc); its own period is 10 s.
SNAPSHOT_PERIOD_MS: Final = 1000
_OWN_SNAPSHOT_PERIOD_MS: Final = 10000
#: What traced_probes and the service share. Its own is 1 MiB, since v54 2 MiB: less than what is drained
#: at once from eight busy CPUs. Where it is full traced_probes waits, and the kernel's buffers overflow
#: (BufferExhaustedPolicy kStall in probes_producer.cc). The service allocates it at the first recording
#: after traced_probes has started (tracing_service_impl.cc), so an earlier recorder may have set it.
_SHARED_KB: Final = 4096

#: Services refuse to poll faster than 100 ms; meminfo costs more CPU than more values are worth.
_POLL_MS_MIN: Final = 100
_MEMINFO_MS_MIN: Final = 1000
#: Android 10's power source raises a value below 250 ms, with a warning in its log.
_RAILS_POLL_MS: Final = 1000

#: Time for a held recording to be read when it ends.
_END_MS: Final = 60000

#: Marks lmkd's kills in the trace (atrace), whatever the metrics need.
_ATRACE_APPS: Final = ("lmkd",)

#: Last counters that the service of Android 10 knows; numbers are never reused.
_VMSTAT_OF_29: Final[int] = VmstatCounters.VMSTAT_UNEVICTABLE_PGS_STRANDED
_MEMINFO_OF_29: Final[int] = MeminfoCounters.MEMINFO_CMA_FREE


@dataclass(frozen=True)
class Limits:
    """Sizes of one recording.

    ``cpu_buffer_kb`` is the kernel's buffer of each CPU, ``buffer_kb`` the service's. Both reduce the
    memory of the device under test: see `limits_for`. An abandoned recording ends by itself after
    ``duration_ms``, or when its file reaches ``max_file_bytes``. With ``held`` the kernel's buffer
    takes the whole recording and is read when it ends; else it is drained every 250 ms and the
    service's holds the data between two writes to the file.
    """

    cpu_buffer_kb: int = 8192
    buffer_kb: int = 32768
    duration_ms: int = 30 * 60 * 1000
    max_file_bytes: int = 4_000_000_000
    held: bool = False


def limits_for(
    mem_total_kb: int, cpus: int, longest_s: float, free_bytes: int | None, *, probes: bool = False
) -> Limits:
    """Buffers of at most 2 % and 1 % of the memory, a fixed end, and a file that leaves disk space free.

    Twice as much for the calls of kernel functions with ``probes``. ``free_bytes`` None: unknown.
    """
    file_bytes = Limits.max_file_bytes
    factor = 2 if probes else 1
    return Limits(
        cpu_buffer_kb=factor * max(2048, min(mem_total_kb // 50 // cpus, 16384)),
        buffer_kb=factor * max(16384, min(mem_total_kb // 100, 65536)),
        duration_ms=round(longest_s * 1000),
        max_file_bytes=file_bytes if free_bytes is None else min(file_bytes, free_bytes - KEEP_FREE_BYTES),
    )


#: Disk space that a recording leaves free on the device.
KEEP_FREE_BYTES: Final = 512 * 1024 * 1024

#: Memory of a held recording: this share, within these bounds for all CPUs together.
_HELD_SHARE: Final = 0.06
_HELD_KB_MIN: Final = 16 * 1024
_HELD_KB_MAX: Final = 32 * 1024
_HELD_CPU_KB_MIN: Final = 8 * 1024


def held_limits(mem_total_kb: int, cpus: int, longest_s: float, *, probes: bool = False) -> Limits:
    """Limits of a recording that the kernel's buffer holds: for a device that is small and emulated.

    Neither the service nor its file takes memory or CPU inside the window then; the kernel takes its
    pages at the start, as many on each variant. With ``probes`` there are eight to twelve records
    for each page that is swapped out: twice the size. The service's buffer has room for twice as
    much, and takes pages only as far as it is filled, when the recording ends.
    """
    total_kb = min(max(int(mem_total_kb * _HELD_SHARE), _HELD_KB_MIN), _HELD_KB_MAX)
    cpu_kb = max(total_kb // cpus, _HELD_CPU_KB_MIN) * (2 if probes else 1)
    return Limits(
        cpu_buffer_kb=cpu_kb,
        buffer_kb=2 * cpu_kb * cpus,
        duration_ms=round(longest_s * 1000),
        held=True,
    )


def trace_config(
    events: Collection[str],
    *,
    service: PerfettoService,
    period_ms: int,
    limits: Limits | None = None,
    power_rails: bool = False,
    without: Collection[str] = (),
) -> str:
    """TraceConfig text with the ftrace events ``group/name`` and polled statistics.

    It holds only fields that ``service`` knows: a service rejects a text with an unknown field.
    ``without`` are fields that it has refused all the same. The suite's own poller reads what the
    service cannot.
    """
    limits = limits or Limits()
    fields = known_fields(service) - frozenset(without)
    interval = f"builtin_data_sources {{ snapshot_interval_ms: {SNAPSHOT_PERIOD_MS} }}"
    shared = f'producers {{ producer_name: "perfetto.traced_probes" shm_size_kb: {_SHARED_KB} }}'
    sources = [
        _source("linux.ftrace", 0, "ftrace_config", _ftrace(events, fields, limits)),
        _source("linux.sys_stats", 1, "sys_stats_config", _sys_stats(service, fields, period_ms)),
        _source("linux.process_stats", 1, "process_stats_config", ["scan_all_processes_on_start: true"]),
        _source("linux.system_info", 1),
        _source("android.packages_list", 1),
    ]
    if power_rails:
        rails = [f"battery_poll_ms: {_RAILS_POLL_MS}", "collect_power_rails: true"]
        sources.append(_source("android.power", 1, "android_power_config", rails))
    return "\n".join(
        [
            f"buffers {{ size_kb: {limits.buffer_kb} fill_policy: RING_BUFFER }}",
            f"buffers {{ size_kb: {_STATS_BUFFER_KB} fill_policy: RING_BUFFER }}",
            *sources,
            *([] if limits.held else [shared]),
            *([interval] if "snapshot_interval_ms" in fields else []),
            *_writing(fields, limits),
            f"max_file_size_bytes: {limits.max_file_bytes}",
            f"duration_ms: {limits.duration_ms}",
            "",
        ]
    )


def snapshot_wait_s(fields: Collection[str]) -> float:
    """How long a recording with these fields runs on after the window.

    Until the next snapshot, and before it the last drain of the window. Android 10 has no field for
    the period, and takes its snapshot when it begins to write to the file, so of what it wrote before.
    """
    if "snapshot_interval_ms" in fields:
        return (SNAPSHOT_PERIOD_MS + 2 * _DRAIN_PERIOD_MS) / 1000
    return (_OWN_SNAPSHOT_PERIOD_MS + _WRITE_PERIOD_MS + 2 * _DRAIN_PERIOD_MS) / 1000


def _writing(fields: Collection[str], limits: Limits) -> list[str]:
    """When data goes from the kernel to the service and from there to the file."""
    flush_ms = _FLUSH_PERIOD_MS
    write_ms = _WRITE_PERIOD_MS
    ends = []
    if limits.held:
        flush_ms = write_ms = limits.duration_ms
        # An emulated CPU needs seconds to read a full buffer; the service gives it 5.
        ends = [f"flush_timeout_ms: {_END_MS}"]
        if "data_source_stop_timeout_ms" in fields:
            ends.append(f"data_source_stop_timeout_ms: {_END_MS}")
    # By default newer services ignore flush_period_ms and flush every 5 s.
    mode = ["write_flush_mode: WRITE_FLUSH_DISABLED"] if "write_flush_mode" in fields else []
    return [
        "write_into_file: true",
        f"file_write_period_ms: {write_ms}",
        f"flush_period_ms: {flush_ms}",
        *mode,
        *ends,
    ]


def _source(name: str, buffer: int, config: str | None = None, lines: Iterable[str] = ()) -> str:
    body = [f'    name: "{name}"', f"    target_buffer: {buffer}"]
    if config is not None:
        body += [f"    {config} {{", *(f"      {line}" for line in lines), "    }"]
    return "\n".join(["data_sources {", "  config {", *body, "  }", "}"])


def _ftrace(events: Collection[str], fields: Collection[str], limits: Limits) -> list[str]:
    # Compact switches are a third of the size; they are the default from v42 on.
    compact = ["compact_sched { enabled: true }"] if "compact_sched" in fields else []
    return [
        *(f'ftrace_events: "{event}"' for event in sorted(events)),
        *(f'atrace_apps: "{app}"' for app in _ATRACE_APPS),
        f"buffer_size_kb: {limits.cpu_buffer_kb}",
        f"drain_period_ms: {_DRAIN_PERIOD_MS_MAX if limits.held else _DRAIN_PERIOD_MS}",
        *compact,
    ]


def _sys_stats(service: PerfettoService, fields: Collection[str], period_ms: int) -> list[str]:
    """All periods are multiples of the shortest: with others the service polls nothing."""
    poll_ms = max(period_ms, _POLL_MS_MIN)
    meminfo_ms = -(-_MEMINFO_MS_MIN // poll_ms) * poll_ms
    psi = [f"psi_period_ms: {poll_ms}"] if "psi_period_ms" in fields else []
    counters: list[str] = []
    if not service.android(EMPTY_MEANS_ALL_SINCE_API):
        counters += _counters("vmstat_counters", VmstatCounters, _VMSTAT_OF_29)
        counters += _counters("meminfo_counters", MeminfoCounters, _MEMINFO_OF_29)
    return [f"vmstat_period_ms: {poll_ms}", f"meminfo_period_ms: {meminfo_ms}", *psi, *counters]


def _counters(field: str, enum: Any, last: int) -> list[str]:
    return [f"{field}: {name}" for name, number in enum.items() if 0 < number <= last]


def check_config(text: str) -> None:
    """Parse ``text`` as Perfetto does. UsageError with line and column of a mistake.

    Names of ftrace events are not checked: only the device knows them.
    """
    try:
        text_format.Parse(text, TraceConfig())
    except text_format.ParseError as mistake:
        raise UsageError(
            f"the trace config is not valid: {mistake}", next_step="correct the line named in the message"
        ) from mistake
