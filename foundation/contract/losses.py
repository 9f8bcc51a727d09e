"""The one table of what a recording can lose: the counter of each loss, and its description.

The trace processor reads a truncated or lossy trace without an error and gives most kinds of
loss the severity *info*, so losses are looked up by name. The capture finds the names as fields
of the trace's packets, the analysis in the trace processor's ``stats``.
"""

from __future__ import annotations

from typing import Any, Final

#: Fields of FtraceCpuStats, which the kernel counts for each CPU (per_cpu/cpuN/stats) from the
#: moment the buffer is cleared.
FTRACE: Final = {
    "overrun": "ftrace events overwritten before they were read",
    "commit_overrun": "ftrace events lost to nesting",
    "dropped_events": "ftrace events dropped",
}
#: Fields of TraceStats.BufferStats, which Perfetto counts for each of its buffers.
BUFFER: Final = {
    "chunks_overwritten": "chunks overwritten in perfetto's buffer",
    "chunks_discarded": "chunks discarded by perfetto",
    "trace_writer_packet_loss": "packets lost by a trace writer",
    "patches_failed": "packets never completed",
    "abi_violations": "malformed chunks rejected by perfetto",
}
#: The field ``lost_events`` of FtraceEventBundle.
INCOMPLETE_BUNDLES: Final = "ftrace bundles marked incomplete"

#: Rows of the trace processor's ``stats`` that mean loss, whatever their severity (several are only
#: "info"); every row of severity data_loss counts as well. vmstat_unknown_keys does not: a newer
#: recorder has keys that this trace processor cannot name, and a metric of such a key is NaN with
#: that reason.
STATS: Final = {
    **{f"ftrace_cpu_{name}_delta": text for name, text in FTRACE.items()},
    **{f"traced_buf_{name}": text for name, text in BUFFER.items()},
    "ftrace_cpu_has_data_loss": INCOMPLETE_BUNDLES,
    "ftrace_bundle_tokenizer_errors": "unreadable ftrace bundles",
    "traced_final_flush_failed": "final flush failed",
    "traced_flushes_failed": "failed flushes",
    "long_trace_mode_bytes_overwritten": "bytes overwritten in a long trace",
    "tokenizer_skipped_packets": "unreadable packets",
    "interned_data_tokenizer_errors": "unreadable interned strings",
    "track_event_tokenizer_errors": "unreadable track events",
    "track_event_parser_errors": "track events that could not be parsed",
    "compact_sched_has_parse_errors": "unreadable compact sched events",
    "mismatched_sched_switch_tids": "context switches that contradict the previous one: events are missing",
    "task_state_invalid": "invalid task states",
    "systrace_parse_failure": "unreadable systrace lines",
    "clock_sync_failure": "timestamps that could not be converted",
    "clock_sync_failure_no_path": "timestamps of an unknown clock",
    "invalid_clock_snapshots": "contradictory clock snapshots",
    "sorter_push_event_out_of_order": "events that arrived too late to be sorted",
    "trace_sorter_negative_timestamp_dropped": "events with a negative timestamp",
}

#: What a recorder writes last: without it the file was cut between two packets.
NO_FTRACE_END: Final = "ftrace's closing statistics are missing: the trace was truncated"
NO_BUFFER_END: Final = "perfetto's closing statistics are missing: the trace was truncated"


def ftrace_lines(cpu: int, begin: Any, end: Any) -> list[str]:
    """A line for each counter of `FTRACE` that grew from ``begin`` (None: all 0) to ``end`` on ``cpu``."""
    return [
        f"{lost} {text} on CPU {cpu} ({name})"
        for name, text in FTRACE.items()
        if (lost := getattr(end, name) - (0 if begin is None else getattr(begin, name))) > 0
    ]


def buffer_lines(number: int, stats: Any) -> list[str]:
    """A line for each counter of `BUFFER` above 0 in the statistics of buffer ``number``."""
    return [
        f"{lost} {text}, buffer {number} ({name})"
        for name, text in BUFFER.items()
        if (lost := getattr(stats, name)) > 0
    ]
