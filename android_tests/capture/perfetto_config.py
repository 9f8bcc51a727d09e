"""Perfetto's trace config, generated from what the metrics need, checked on the host."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TraceConfig

from foundation.errors import UsageError

#: Central buffers, KiB. With write_into_file the first must hold what arrives in a write period.
_FTRACE_BUFFER_KB: Final = 131072
_STATS_BUFFER_KB: Final = 8192
_CPU_BUFFER_KB: Final = 16384
_DRAIN_PERIOD_MS: Final = 250
_WRITE_PERIOD_MS: Final = 2500
_FLUSH_PERIOD_MS: Final = 30000
_MAX_FILE_BYTES: Final = 4_000_000_000

#: A recording that nobody stops ends by itself.
DURATION_MS: Final = 30 * 60 * 1000

#: Marks lmkd's kills in the trace (atrace), whatever the metrics ask for.
_ATRACE_APPS: Final = ("lmkd",)


def trace_config(
    events: Collection[str],
    *,
    period_ms: int,
    duration_ms: int = DURATION_MS,
) -> str:
    """TraceConfig text with the ftrace events ``group/name`` and polled statistics.

    Only fields that old services know too, as one refuses a config with a field that it
    does not know. For the same reason ``vmstat_counters`` stays empty, which means all keys
    that the service knows; what it does not know the suite's own poller reads.
    """
    event_lines = "\n".join(f'      ftrace_events: "{event}"' for event in sorted(events))
    app_lines = "\n".join(f'      atrace_apps: "{app}"' for app in _ATRACE_APPS)
    # Polling faster than this costs more CPU than the figures are worth, and older
    # services refuse less than 100 ms.
    poll_ms = max(period_ms, 100)
    return f"""\
buffers {{ size_kb: {_FTRACE_BUFFER_KB} fill_policy: RING_BUFFER }}
buffers {{ size_kb: {_STATS_BUFFER_KB} fill_policy: RING_BUFFER }}
data_sources {{
  config {{
    name: "linux.ftrace"
    target_buffer: 0
    ftrace_config {{
{event_lines}
{app_lines}
      buffer_size_kb: {_CPU_BUFFER_KB}
      drain_period_ms: {_DRAIN_PERIOD_MS}
    }}
  }}
}}
data_sources {{
  config {{
    name: "linux.sys_stats"
    target_buffer: 1
    sys_stats_config {{ vmstat_period_ms: {poll_ms} meminfo_period_ms: {max(poll_ms, 1000)} }}
  }}
}}
data_sources {{
  config {{
    name: "linux.process_stats"
    target_buffer: 1
    process_stats_config {{ scan_all_processes_on_start: true }}
  }}
}}
data_sources {{ config {{ name: "linux.system_info" target_buffer: 1 }} }}
data_sources {{ config {{ name: "android.packages_list" target_buffer: 1 }} }}
write_into_file: true
file_write_period_ms: {_WRITE_PERIOD_MS}
flush_period_ms: {_FLUSH_PERIOD_MS}
max_file_size_bytes: {_MAX_FILE_BYTES}
duration_ms: {duration_ms}
"""


def check_config(text: str) -> None:
    """Parse ``text`` as Perfetto does. UsageError with line and column of a mistake.

    Names of ftrace events are not checked: only the device knows them.
    """
    try:
        text_format.Parse(text, TraceConfig())
    except text_format.ParseError as mistake:
        raise UsageError(
            f"the trace config is not valid: {mistake}", next_step="correct the line that is named"
        ) from mistake
