"""How each statistic of the trace processor is read: which data it concerns, if it is not 0.

The names are those of src/trace_processor/storage/stats.h (Perfetto v52 to main of November 2026):
all of severity data_loss and error, and those of lower severity that mean loss all the same. A
statistic with neither a reading nor such a severity is no loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.contract.losses import (
    BUFFER_COUNTERS,
    EVERYTHING,
    FTRACE,
    FTRACE_COUNTERS,
    INCOMPLETE_BUNDLES,
    NOTHING,
    RECORDED,
    Data,
)

#: Severities at which a statistic without a reading counts, and then voids what it may touch.
SEVERE: Final = ("data_loss", "error")


@dataclass(frozen=True)
class Reading:
    """What a statistic says, and the ``data`` that it concerns; empty: nothing that a metric reads.

    ``of_buffer``: it is counted for a buffer of Perfetto, and concerns only what that buffer holds.
    ``of_cpu``: events of one CPU, lost where its bundles are marked (ring_buffer.c: RB_MISSED_EVENTS).
    """

    text: str
    data: frozenset[Data]
    of_buffer: bool = False
    of_cpu: bool = False


_SCHEDULING: Final[frozenset[Data]] = frozenset({"scheduling"})
_EVENTS: Final[frozenset[Data]] = frozenset({"events"})
_NAMES: Final[frozenset[Data]] = frozenset({"names"})
_COUNTERS: Final[frozenset[Data]] = frozenset({"counters"})
_SUITE: Final[frozenset[Data]] = frozenset({"suite"})
_POWER: Final[frozenset[Data]] = frozenset({"power"})

#: By exact name.
READINGS: Final = {
    # The kernel's buffers (FtraceCpuStats; importers/ftrace/ftrace_tokenizer.cc).
    **{
        f"ftrace_cpu_{name}_delta": Reading(text, FTRACE, of_cpu=name == "overrun")
        for name, text in FTRACE_COUNTERS.items()
    },
    "ftrace_cpu_has_data_loss": Reading(INCOMPLETE_BUNDLES, FTRACE, of_cpu=True),
    "ftrace_bundle_tokenizer_errors": Reading("unreadable ftrace bundles", FTRACE),
    "ftrace_kprobe_misses_delta": Reading("calls of probed functions missed", frozenset({"probes"})),
    "ftrace_generic_descriptor_errors": Reading("unreadable descriptions of events", _EVENTS | {"probes"}),
    # Requested and not on this kernel: a metric that needs the event finds that it was not recorded.
    "ftrace_setup_errors": Reading("events that could not be set up", NOTHING),
    # The first switch of each CPU and the wakings before it lie at the start of the recording
    # (importers/ftrace/ftrace_sched_event_tracker.cc); who ran until then is unknown, not wrong.
    "compact_sched_switch_skipped": Reading("first switches of CPUs", NOTHING),
    "compact_sched_waking_skipped": Reading("wakings before the first switch of a CPU", NOTHING),
    "compact_sched_has_parse_errors": Reading("unreadable compact sched events", _SCHEDULING),
    "mismatched_sched_switch_tids": Reading(
        "context switches that contradict the previous one: events are missing", FTRACE
    ),
    "task_state_invalid": Reading("invalid task states", _SCHEDULING),
    "generic_task_state_invalid_order": Reading("task states out of order", _SCHEDULING),
    "systrace_parse_failure": Reading("unreadable systrace lines", FTRACE),
    # Perfetto's buffers (TraceStats.BufferStats).
    **{
        f"traced_buf_{name}": Reading(text, RECORDED, of_buffer=True)
        for name, text in BUFFER_COUNTERS.items()
    },
    "traced_buf_sequence_packet_loss": Reading("groups of packets lost", RECORDED, of_buffer=True),
    "traced_buf_incremental_sequences_dropped": Reading(
        "sequences of packets dropped: the interned data of each is missing", RECORDED, of_buffer=True
    ),
    "long_trace_mode_bytes_overwritten": Reading(
        "bytes overwritten before they were written to the file", RECORDED, of_buffer=True
    ),
    "traced_final_flush_failed": Reading("final flush failed", RECORDED),
    "traced_flushes_failed": Reading("failed flushes", RECORDED),
    # Advice on the config, given for each such buffer whether or not anything was lost
    # (importers/proto/proto_trace_reader.cc); what a full buffer discards, traced_buf_* counts.
    "config_write_into_file_discard": Reading("buffers that discard when they are full", NOTHING),
    "config_write_into_file_no_flush": Reading("no periodic flush", NOTHING),
    # Packets and times of any kind.
    "tokenizer_skipped_packets": Reading("unreadable packets", EVERYTHING),
    "clock_sync_failure": Reading("timestamps that could not be converted", EVERYTHING),
    "clock_sync_failure_no_path": Reading("timestamps of an unknown clock", EVERYTHING),
    "clock_sync_failure_unknown_source_clock": Reading("timestamps of an unknown clock", EVERYTHING),
    "clock_sync_failure_unknown_target_clock": Reading("timestamps of an unknown clock", EVERYTHING),
    "clock_sync_unrelatable_clock_domains": Reading("clocks that nothing connects", EVERYTHING),
    "clock_sync_mixed_clock_sources": Reading("times of several clocks", EVERYTHING),
    "invalid_clock_snapshots": Reading("contradictory clock snapshots", EVERYTHING),
    "sorter_push_event_out_of_order": Reading("events that arrived too late to be sorted", EVERYTHING),
    "trace_sorter_negative_timestamp_dropped": Reading("events with a negative timestamp", EVERYTHING),
    "filter_errors": Reading("packets that the trace's filter could not read", EVERYTHING),
    # Events of the suite are parsed as track events, and so are those of apps.
    # The suite's own events intern nothing.
    "interned_data_tokenizer_errors": Reading("unreadable interned strings", NOTHING),
    "track_event_tokenizer_errors": Reading("unreadable track events", _SUITE),
    "track_event_parser_errors": Reading("track events that could not be parsed", _SUITE),
    "misplaced_end_event": Reading("ends of slices without a start", NOTHING),
    "slice_negative_duration": Reading("slices that end before they start", _EVENTS | {"suite"}),
    "slice_max_depth_exceeded": Reading("slices nested too deep", _EVENTS | {"suite"}),
    "slice_drop_overlapping_complete_event": Reading("slices that overlap", _SUITE),
    "slice_spill_overlapping_complete_event": Reading("slices that overlap", _SUITE),
    "previous_packet_dropped_missing_sequence_id": Reading(
        "packets lost before one of no sequence", _SUITE
    ),
    "incremental_state_cleared_missing_sequence_id": Reading("packets of no sequence", _SUITE),
    "trace_packet_defaults_missing_sequence_id": Reading("packets of no sequence", _SUITE),
    "interned_data_missing_sequence_id": Reading("packets of no sequence", _SUITE),
    "thread_descriptor_missing_sequence_id": Reading("packets of no sequence", _SUITE),
    "unknown_extension_fields": Reading("fields of another Perfetto version", NOTHING),
    "protovm_abort": Reading("programs that patch packets failed", RECORDED),
    "protovm_registration_error": Reading("programs that patch packets failed", RECORDED),
    "extra_parsing_descriptors_error": Reading("unreadable descriptions of packets", NOTHING),
    # Names and parents.
    "process_tracker_errors": Reading("threads or processes that contradict others", _NAMES),
    "namespaced_thread_missing_process": Reading("threads of a PID namespace without process", _NAMES),
    # Perfetto's counters. An unknown key belongs to a newer recorder: the metric of that key has no
    # value, for that reason, and all others stand.
    "meminfo_unknown_keys": Reading("unknown keys of meminfo", NOTHING),
    "vmstat_unknown_keys": Reading("unknown keys of vmstat", NOTHING),
    "psi_unknown_resource": Reading("unknown resources of PSI", NOTHING),
    "proc_stat_unknown_counters": Reading("unknown counters of /proc/stat", NOTHING),
    "rss_stat_unknown_keys": Reading("unknown keys of rss_stat", NOTHING),
    "mm_unknown_type": Reading("unknown kinds of memory in process statistics", NOTHING),
    "invalid_cpu_times": Reading("CPU times that fell", _COUNTERS),
    "smaps_parser_errors": Reading("unreadable smaps", NOTHING),
    "missing_disk_io_event_name": Reading("disks without a name", NOTHING),
    "power_rail_empty_packet": Reading("empty packets of power rails", _POWER),
    "power_rail_unknown_index": Reading("energy of unknown power rails", _POWER),
}

#: By the start of the name, for what no exact name covers; the longest that fits is taken.
FAMILIES: Final = {
    # TraceBufferV2 tells a buffer's losses by cause.
    "traced_buf_data_loss_": Reading("losses of perfetto's buffer", RECORDED, of_buffer=True),
    "clock_sync_": Reading("faults of the clocks", EVERYTHING),
    "track_event_": Reading("unreadable track events", _SUITE),
    "track_descriptor_": Reading("contradictory tracks", _SUITE),
    # Sources of which no metric reads anything: profilers, logs, graphics, other systems' traces.
    **dict.fromkeys(
        (
            "android_aflags_",
            "android_br_",
            "android_log_",
            "android_video_",
            "app_wakelock_",
            "atom_",
            "cpu_info_",
            "deobfuscate_",
            "empty_chrome_",
            "energy_",
            "entity_state_",
            "etm_",
            "flow_",
            "frame_timeline_",
            "ftrace_thermal_",
            "fuchsia_",
            "game_intervention_",
            "gpu_",
            "graphics_frame_",
            "heap_graph_",
            "heapprofd_",
            "hprof_",
            "instruments_",
            "jit_",
            "json_",
            "kernel_trackevent_",
            "kernel_wakelock_",
            "legacy_v8_",
            "mali_",
            "memory_snapshot_",
            "metatrace_",
            "network_trace_",
            "ninja_",
            "packages_list_",
            "perf_",
            "pixel_modem_",
            "primes_",
            "simpleperf_",
            "spe_",
            "stackprofile_",
            "strace_",
            "streaming_profile_",
            "symbolization_",
            "systemd_journal_",
            "thread_time_in_state_",
            "user_list_",
            "v8_",
            "vulkan_",
            "winscope_",
        ),
        Reading("of a source that no metric reads", NOTHING),
    ),
}

#: A severe statistic that this table does not know.
_UNKNOWN: Final = Reading("of a kind that the suite does not know", EVERYTHING)


def reading_of(name: str, severity: str) -> Reading | None:
    """How the statistic ``name`` is read if it is not 0; None if it tells of no loss."""
    known = READINGS.get(name)
    if known is not None:
        return known
    prefix = max((one for one in FAMILIES if name.startswith(one)), key=len, default=None)
    if prefix is not None:
        family = FAMILIES[prefix]
        return family if severity in SEVERE else None
    return _UNKNOWN if severity in SEVERE else None
