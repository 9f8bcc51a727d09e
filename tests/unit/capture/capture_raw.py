"""A capture built in code, with the truth known: what the device would have given."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats, TracePacket

from foundation.contract import conventions
from foundation.contract.packets import PacketWriter
from harness.capture.facts import Facts
from harness.capture.ftrace.ftrace_session import SEPARATOR
from harness.capture.ftrace.ftrace_stats import CpuStats, stats_to_json
from harness.capture.process_tree import Thread
from harness.capture.raw import RawCapture
from harness.capture.samples import Mark, Number, Sample
from tests.unit.capture.capture_ring import (
    DIRECT_RECLAIM_BEGIN,
    DIRECT_RECLAIM_END,
    HEADER_PAGE,
    SCHED_SWITCH,
    Ring,
    format_text,
    payload,
    switch_payload,
)
from workloads.launches import LaunchState
from workloads.switches import Switch

MS = 1_000_000
START = 100_000 * MS
SAMPLE_SPAN = 2 * MS
WINDOW = START + 10 * MS + SAMPLE_SPAN, START + 700 * MS

KCOMPRESSD_DONE = format_text(
    "kcompressd_done",
    500,
    [("unsigned long index", 8, 8, 0), ("u64 wait_ns", 16, 8, 0), ("int error", 24, 4, 1)],
)

FACTS = Facts(
    sysname="Linux",
    release="6.1.0-40-cloud-amd64",
    version="#1 SMP",
    machine="x86_64",
    page_size=4096,
    cpus=2,
    clk_tck=100,
    boot_ns=START,
    monotonic_ns=START - 5,
    monotonic_raw_ns=START - 9,
    realtime_ns=1_700_000_000_000_000_000,
)

SWAPPER = ("swapper", 0)
KSWAPD = ("kswapd0", 42)
KCOMPRESSD = ("kcompressd:0", 43)
APP = ("com.example.app", 700)


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


@dataclass
class Truth:
    """What the trace must say: ns on CPU by tid, and records by CPU."""

    run_ns: dict[int, int] = field(default_factory=dict)
    window_run_ns: dict[int, int] = field(default_factory=dict)
    records: dict[int, int] = field(default_factory=dict)

    def ran(self, tid: int, since: int, until: int) -> None:
        inside = max(min(until, WINDOW[1]) - max(since, WINDOW[0]), 0)
        self.run_ns[tid] = self.run_ns.get(tid, 0) + until - since
        self.window_run_ns[tid] = self.window_run_ns.get(tid, 0) + inside


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


def write_pages(folder: Path, *, switches: int = 400, seed: int = 1, miss: bool = False) -> Truth:
    """Two CPUs of random switches; kswapd runs on CPU 0 only, the compression thread on CPU 1."""
    truth = Truth()
    dice = random.Random(seed)
    stats = []
    for cpu, worker in ((0, KSWAPD), (1, KCOMPRESSD)):
        ring, time, current, since, count = Ring(), START + MS, SWAPPER, START + MS, 0
        for step in range(switches):
            time += dice.randrange(1, 3 * MS)
            following = dice.choice([thread for thread in (SWAPPER, worker, APP) if thread != current])
            if current is not SWAPPER and count:
                truth.ran(current[1], since, time)
            if miss and cpu == 1 and step == switches // 2:
                ring.miss(123)
            ring.event(time, switch_payload(current, 1 if current is not SWAPPER else 0, following))
            current, since, count = following, time, count + 1
            if current is APP and step % 10 == 0:
                time += 10
                ring.event(
                    time, payload(400, APP[1], (0).to_bytes(8, "little") + (0x100CCA).to_bytes(8, "little"))
                )
                time += 500
                ring.event(time, payload(401, APP[1], (32).to_bytes(8, "little")))
                count += 2
            if current is KCOMPRESSD:
                time += 10
                body = (
                    (step).to_bytes(8, "little")
                    + (777).to_bytes(8, "little")
                    + (-5).to_bytes(4, "little", signed=True)
                )
                ring.event(time, payload(500, 43, body))
                count += 1
        time += MS
        if current is not SWAPPER:
            truth.ran(current[1], since, time)
        ring.event(time, switch_payload(current, 0, SWAPPER if current is not SWAPPER else APP))
        truth.records[cpu] = count + 1
        (folder / f"cpu{cpu}.raw").write_bytes(ring.raw())
        stats.append(CpuStats(cpu, count + 1, 0, 0, 4096, 0.0, 0.0, 0, 0))
    (folder / "kswapd_run_ns.txt").write_text(str(truth.window_run_ns[42]))
    (folder / "header_page.txt").write_text(HEADER_PAGE)
    (folder / "formats.txt").write_text(
        "".join(
            f"{SEPARATOR} {name}\n{text}"
            for name, text in (
                ("sched/sched_switch", SCHED_SWITCH),
                ("vmscan/mm_vmscan_direct_reclaim_begin", DIRECT_RECLAIM_BEGIN),
                ("vmscan/mm_vmscan_direct_reclaim_end", DIRECT_RECLAIM_END),
                ("zram_kcompressd/kcompressd_done", KCOMPRESSD_DONE),
            )
        )
    )
    zero = [CpuStats(cpu.cpu, 0, 0, 0, 0, 0.0, 0.0, 0, 0) for cpu in stats]
    (folder / "stats_begin.json").write_text(stats_to_json(zero))
    (folder / "stats_end.json").write_text(stats_to_json(stats))
    return truth


def raw_capture(folder: Path) -> RawCapture:
    """A whole ftrace recording around the pages in ``folder``."""
    stop = START + 5_000 * MS
    run_ns = int((folder / "kswapd_run_ns.txt").read_text())
    return RawCapture(
        serial="virtual-0",
        backend="ftrace",
        folder=folder,
        counters=folder / "counters.jsonl",
        facts=FACTS,
        start_ns=START,
        stop_ns=stop,
        begin=sample("begin", START + 10 * MS, values(0, run_ns)),
        end=sample("end", START + 700 * MS, values(9, run_ns)),
        between=tuple(
            sample("sample", START + (20 + 60 * step) * MS, values(step, run_ns)) for step in range(1, 9)
        ),
        poller_period_ms=250,
        events=("sched/sched_switch", "vmscan/mm_vmscan_direct_reclaim_begin"),
        missing_events=("sched/sched_blocked_reason",),
        cpus=(0, 1),
        threads_begin=(
            Thread(2, 2, 0, "kthreadd", 0),
            Thread(42, 42, 2, "kswapd0", 0),
            Thread(44, 44, 2, "never_ran", 0),
            Thread(700, 700, 1, "com.example.app", 10001),
        ),
        threads_end=(Thread(43, 43, 2, "kcompressd:0", 0), Thread(701, 700, 1, "RenderThread", 10001)),
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
