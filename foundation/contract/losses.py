"""The one table of what a recording can lose: the name that counts it, and the words for it.

The trace processor reads a truncated or lossy trace without an error, and gives most kinds of
loss the severity *info*; so loss is looked for by name. The capture finds the names as fields of
the trace's packets, the analysis in the trace processor's ``stats``.
"""

from __future__ import annotations

from typing import Any, Final

#: Of each CPU: fields of FtraceCpuStats, counted by the kernel (per_cpu/cpuN/stats) since the
#: buffer was cleared.
FTRACE: Final = {
    "overrun": "ftrace events overwritten before they were read",
    "commit_overrun": "ftrace events lost to nesting",
    "dropped_events": "ftrace events dropped",
}
#: Of each buffer of the recorder: fields of TraceStats.BufferStats.
BUFFER: Final = {
    "chunks_overwritten": "chunks overwritten in perfetto's buffer",
    "chunks_discarded": "chunks discarded by perfetto",
    "trace_writer_packet_loss": "packets lost by a writer",
    "patches_failed": "packets that stayed incomplete",
    "abi_violations": "chunks that perfetto refused",
}
#: The field ``lost_events`` of FtraceEventBundle.
INCOMPLETE_BUNDLES: Final = "ftrace bundles marked as incomplete"

#: Rows of the trace processor's ``stats`` that mean loss, whatever severity they have there
#: (several are only "info"). Everything of severity data_loss counts as well. Not among them is
#: vmstat_unknown_keys: a newer recorder has keys that this trace processor cannot name, and a metric
#: of such a key is unknown and says so.
STATS: Final = {
    **{f"ftrace_cpu_{name}_delta": text for name, text in FTRACE.items()},
    **{f"traced_buf_{name}": text for name, text in BUFFER.items()},
    "ftrace_cpu_has_data_loss": INCOMPLETE_BUNDLES,
    "ftrace_bundle_tokenizer_errors": "ftrace bundles that could not be read",
    "traced_final_flush_failed": "final flush failed",
    "traced_flushes_failed": "flushes failed",
    "long_trace_mode_bytes_overwritten": "bytes overwritten in a long trace",
    "tokenizer_skipped_packets": "packets that could not be read",
    "interned_data_tokenizer_errors": "interned strings that could not be read",
    "track_event_tokenizer_errors": "track events that could not be read",
    "track_event_parser_errors": "track events that could not be parsed",
    "compact_sched_has_parse_errors": "compact scheduling that could not be read",
    "mismatched_sched_switch_tids": "switches that contradict the one before: events are missing",
    "task_state_invalid": "task states that do not exist",
    "systrace_parse_failure": "text lines that could not be read",
    "clock_sync_failure": "timestamps that could not be converted",
    "clock_sync_failure_no_path": "timestamps of an unknown clock",
    "invalid_clock_snapshots": "clock snapshots that contradict each other",
    "sorter_push_event_out_of_order": "events that came too late to be sorted",
    "trace_sorter_negative_timestamp_dropped": "events with a negative timestamp",
}

#: Rows that a recorder writes last: without them the file was cut between two packets.
NO_FTRACE_END: Final = "the closing statistics of ftrace are missing: the trace was cut"
NO_BUFFER_END: Final = "the closing statistics of perfetto are missing: the trace was cut"


def ftrace_lines(cpu: int, begin: Any, end: Any) -> list[str]:
    """A line for each of `FTRACE` that grew from ``begin`` (None: all 0) to ``end`` on a CPU."""
    found = []
    for name, text in FTRACE.items():
        lost = getattr(end, name) - (0 if begin is None else getattr(begin, name))
        found += [f"{lost} {text} on CPU {cpu} ({name})"] if lost > 0 else []
    return found


def buffer_lines(number: int, stats: Any) -> list[str]:
    """A line for each of `BUFFER` that the recorder's buffer of that number counted."""
    return [
        f"{lost} {text}, buffer {number} ({name})"
        for name, text in BUFFER.items()
        if (lost := getattr(stats, name)) > 0
    ]
