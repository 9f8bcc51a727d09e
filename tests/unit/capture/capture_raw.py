"""A capture built in code, with the truth known: what the device would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats, TracePacket

from foundation.contract import conventions
from foundation.contract.packets import PacketWriter
from harness.capture.perfetto.perfetto_session import TRACE_FILE
from harness.capture.raw import RawCapture
from harness.capture.samples import Mark, Number, Sample
from workloads.launches import LaunchState
from workloads.switches import Switch

MS = 1_000_000
START = 100_000 * MS
SAMPLE_SPAN = 2 * MS
WINDOW = START + 10 * MS + SAMPLE_SPAN, START + 700 * MS

#: What kswapd0 runs inside the window of `service_trace`: each second 10 ms, the last time only 8.
KSWAPD_RUN_NS = 348 * MS


def switch(
    package: str,
    state: LaunchState,
    begin_ns: int,
    end_ns: int,
    total_time_ms: float | None,
    wait_time_ms: float | None,
) -> Switch:
    """A switch; a cold one is to an app that was killed."""
    return Switch(
        index=0 if state == "COLD" else 1,
        round=0,
        package=package,
        launch_state=state,
        expected_state=state,
        doubt=None,
        t_begin_boot_ns=begin_ns,
        t_end_boot_ns=end_ns,
        total_time_ms=total_time_ms,
        wait_time_ms=wait_time_ms,
        pid_before=None,
        pid_after=None,
        killed_since_last=state == "COLD",
    )


def sample(mark: Mark, t_ns: int, values: Mapping[str, Number], span_ns: int = SAMPLE_SPAN) -> Sample:
    return Sample(t_ns, t_ns + span_ns, mark, values, {42: "kswapd0", 43: "kcompressd:0"}, ())


def values(step: int, kswapd_run_ns: int = 0) -> dict[str, Number]:
    return {
        conventions.vmstat("pswpout"): 1000 + 37 * step,
        conventions.vmstat("allocstall_normal"): 5,
        conventions.vmstat("a_key_of_tomorrow"): 3 * step,
        conventions.meminfo_kb("MemFree"): 50_000 - step,
        conventions.psi_total_us("memory", "some"): 700 * step,
        conventions.psi_avg10("memory", "some"): 1.25 * step,
        conventions.zram_mm_stat("zram0", "same_pages"): 9 * step,
        conventions.schedstat("kswapd0", 42, "run_ns"): 10**9 + kswapd_run_ns * step // 9,
        conventions.extra("/sys/kernel/zram_kcompressd/done"): 11 * step,
    }


def raw_capture(folder: Path) -> RawCapture:
    """A whole recording, around the trace of `service_trace`, which is written to ``folder``."""
    service_trace(folder / TRACE_FILE)
    return RawCapture(
        serial="virtual-0",
        folder=folder,
        counters=folder / "counters.jsonl",
        start_ns=START,
        stop_ns=START + 5_000 * MS,
        begin=sample("begin", START + 10 * MS, values(0, KSWAPD_RUN_NS)),
        end=sample("end", START + 700 * MS, values(9, KSWAPD_RUN_NS)),
        between=tuple(
            sample("sample", START + (20 + 60 * step) * MS, values(step, KSWAPD_RUN_NS))
            for step in range(1, 9)
        ),
        poller_period_ms=250,
        events=("sched/sched_switch", "vmscan/mm_vmscan_direct_reclaim_begin"),
        missing_events=("sched/sched_blocked_reason",),
        troubles=(),
    )


SWITCHES = (
    switch("com.example.app", "COLD", START + 30 * MS, START + 90 * MS, 55.0, 60.5),
    switch("com.example.other", "HOT", START + 200 * MS, START + 210 * MS, None, 9.0),
)


def service_trace(path: Path, marks: Sequence[str] = ()) -> None:
    """As the service writes it: buffers read in parts, each part followed by its event.

    ``marks`` are lines that programs write into the trace, at the begin of the window.
    """
    with PacketWriter(path) as writer:

        def new(t_ns: int) -> TracePacket:
            packet = writer.new(1)
            packet.timestamp = t_ns
            return packet

        packet = new(WINDOW[0] - MS)
        packet.trace_config.write_into_file = True
        packet.trace_config.flush_period_ms = 100
        writer.write(packet)
        packet = new(WINDOW[0] - MS)
        packet.ftrace_stats.phase = FtraceStats.START_OF_TRACE
        packet.ftrace_stats.cpu_stats.add(cpu=0)
        writer.write(packet)
        previous = 0
        for t_ns in range(WINDOW[0], WINDOW[1], 10 * MS):
            packet = new(t_ns)
            packet.ftrace_events.cpu = 0
            event = packet.ftrace_events.event.add(timestamp=t_ns, pid=previous)
            following = 0 if previous else 42
            event.sched_switch.prev_pid, event.sched_switch.next_pid = previous, following
            event.sched_switch.prev_comm, event.sched_switch.next_comm = "a", "kswapd0"
            previous = following
            for mark in marks if t_ns == WINDOW[0] else ():
                written = packet.ftrace_events.event.add(timestamp=t_ns + MS, pid=612)
                written.print.buf = mark
            writer.write(packet)
            for mark in ("all_data_sources_flushed", "read_tracing_buffers_completed"):
                packet = new(t_ns + MS)
                setattr(packet.service_event, mark, True)
                writer.write(packet)
        packet = new(WINDOW[1])
        packet.ftrace_stats.phase = FtraceStats.END_OF_TRACE
        packet.ftrace_stats.cpu_stats.add(cpu=0)
        writer.write(packet)
        packet = new(WINDOW[1])
        packet.trace_stats.buffer_stats.add(bytes_written=1)
        writer.write(packet)
