"""Perfetto's config, and what its traces say of their losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats, TraceConfig, TracePacket

from foundation.contract.cpu_time import Moved, OnCpu
from foundation.contract.packets import PacketWriter
from foundation.errors import TraceError, UsageError
from harness.capture import events
from harness.capture.perfetto.perfetto_config import (
    check_config,
    held_limits,
    limits_for,
    trace_config,
)
from harness.capture.perfetto.perfetto_loss import judge_perfetto
from harness.capture.perfetto.perfetto_service import OLD_PERFETTO, PerfettoService
from harness.capture.run_times import RunTime, RunTimes
from tests.stand_ins.device.android.policy import labelled_events, writable_events

#: What each release tells of its Perfetto; None: it tells no version.
SERVICES = {
    api: PerfettoService(text or OLD_PERFETTO, version, api, waits=api >= 33)
    for api, text, version in (
        (29, None, None),
        (30, None, None),
        (31, "Perfetto v15.0 (N/A)", (15, 0)),
        (33, "Perfetto v25.0 (N/A)", (25, 0)),
        (34, "Perfetto v33.0 (N/A)", (33, 0)),
        (35, "Perfetto v43.2 (N/A)", (43, 2)),
        (36, "Perfetto v49.0 (N/A)", (49, 0)),
        (37, "Perfetto v56.0 (N/A)", (56, 0)),
    )
}
ASKED = events.wanted({"sched/sched_switch", "sched/sched_waking", "vmscan/mm_vmscan_direct_reclaim_begin"})


def parsed(text: str) -> Any:
    check_config(text)
    return text_format.Parse(text, TraceConfig())


def source(config: Any, name: str) -> Any:
    (found,) = [source.config for source in config.data_sources if source.config.name == name]
    return found


@pytest.mark.parametrize("root", [False, True], ids=["user", "root"])
@pytest.mark.parametrize("api", sorted(SERVICES))
def test_config_of_every_version(api: int, root: bool) -> None:
    """Valid, with the events that may be recorded there, and without a field that came later."""
    open_ones = writable_events(api) & (writable_events(api) if root else labelled_events(api))
    recorded = tuple(event for event in ASKED if event in open_ones)
    text = trace_config(recorded, service=SERVICES[api], period_ms=250, power_rails=root)
    config = parsed(text)
    ftrace = source(config, "linux.ftrace").ftrace_config
    stats = source(config, "linux.sys_stats").sys_stats_config
    assert tuple(ftrace.ftrace_events) == recorded
    assert "sched/sched_switch" in recorded
    assert ftrace.HasField("compact_sched") == (api >= 30)
    assert stats.psi_period_ms == (250 if api >= 35 else 0)
    assert ("VMSTAT_PSWPOUT" in text) == (api < 30), "Android 10 polls only what is listed"
    assert "VMSTAT_PGSTEAL_ANON" not in text, "a name that a service does not know is refused"
    assert any(s.config.name == "android.power" for s in config.data_sources) == root
    assert config.write_into_file
    assert 0 < config.file_write_period_ms < config.flush_period_ms
    assert config.builtin_data_sources.snapshot_interval_ms == (1000 if api >= 30 else 0)
    # From v54 on flush_period_ms is ignored without it.
    assert (config.write_flush_mode == TraceConfig.WRITE_FLUSH_DISABLED) == (api >= 37)
    assert config.duration_ms > 0
    assert config.max_file_size_bytes > 0


@pytest.mark.parametrize("period_ms", [10, 100, 250, 300, 700, 1000, 1700])
def test_periods_are_multiples_of_the_shortest(period_ms: int) -> None:
    """With any other ones the service polls nothing at all (sys_stats_data_source.cc)."""
    stats = source(
        parsed(trace_config(ASKED, service=SERVICES[36], period_ms=period_ms)), "linux.sys_stats"
    ).sys_stats_config
    assert stats.vmstat_period_ms == stats.psi_period_ms == max(period_ms, 100)
    assert stats.meminfo_period_ms >= 1000
    assert stats.meminfo_period_ms % stats.vmstat_period_ms == 0


@pytest.mark.parametrize(
    ("mem_gib", "cpus", "cpu_kb", "kb"),
    [(2, 4, 10485, 20971), (4, 8, 10485, 41943), (8, 8, 16384, 65536), (16, 10, 16384, 65536)],
)
def test_buffers_take_little_of_the_memory(mem_gib: int, cpus: int, cpu_kb: int, kb: int) -> None:
    limits = limits_for(mem_gib << 20, cpus, 600.0, None)
    assert (limits.cpu_buffer_kb, limits.buffer_kb) == (cpu_kb, kb)
    assert limits.cpu_buffer_kb * cpus + limits.buffer_kb <= 0.03 * (mem_gib << 20) + 1
    assert limits.duration_ms == 600_000


def test_twice_the_room_for_calls_of_functions() -> None:
    plain, probed = (limits_for(8 << 20, 8, 600.0, None, probes=probes) for probes in (False, True))
    assert (probed.cpu_buffer_kb, probed.buffer_kb) == (2 * plain.cpu_buffer_kb, 2 * plain.buffer_kb)


@pytest.mark.parametrize(
    ("mem_mb", "cpus", "probes", "cpu_kb"),
    [(223, 1, False, 16384), (223, 2, False, 8192), (223, 1, True, 32768), (2048, 1, False, 32768)],
)
def test_a_held_recording_is_read_only_at_its_end(
    mem_mb: int, cpus: int, probes: bool, cpu_kb: int
) -> None:
    limits = held_limits(mem_mb << 10, cpus, 600.0, probes=probes)
    config = parsed(trace_config(ASKED, service=SERVICES[37], period_ms=1000, limits=limits))
    ftrace = source(config, "linux.ftrace").ftrace_config
    assert ftrace.buffer_size_kb == cpu_kb
    assert ftrace.drain_period_ms == 60_000, "the longest that the service accepts"
    assert config.buffers[0].size_kb == 2 * cpus * cpu_kb
    assert config.file_write_period_ms == config.flush_period_ms == config.duration_ms == 600_000
    assert config.flush_timeout_ms == config.data_source_stop_timeout_ms == 60_000


def test_a_service_that_is_not_known_gets_what_all_know() -> None:
    text = trace_config(
        ASKED, service=PerfettoService(OLD_PERFETTO, None, None, waits=False), period_ms=250
    )
    config = parsed(text)
    assert not source(config, "linux.ftrace").ftrace_config.HasField("compact_sched")
    assert "VMSTAT_PSWPOUT" in text


def test_mistake_in_a_config_is_told_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"2:3.*size_kbb"):
        check_config("buffers {\n  size_kbb: 1\n}\n")


@pytest.mark.parametrize("name", ["sched_switch", "sched/", "/x", "a/b/c", "sched/x; reboot", "a/$(b)", ""])
def test_what_is_no_event_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not an ftrace event"):
        events.wanted({name})


def stats(phase: int, **losses: int) -> Any:
    packet = TracePacket()
    packet.ftrace_stats.phase = phase
    packet.ftrace_stats.cpu_stats.add(cpu=0, entries=5, **losses)
    return packet


def buffers(*, after_ns: int = 9, **losses: int) -> Any:
    """The service's statistics; it made them at ``after_ns`` at the earliest."""
    packet = TracePacket()
    packet.timestamp = after_ns
    packet.trace_stats.buffer_stats.add(bytes_written=9)
    packet.trace_stats.buffer_stats.add(**losses)
    return packet


def bundle(cpu: int, *, lost: bool = False) -> Any:
    packet = TracePacket()
    packet.ftrace_events.cpu = cpu
    packet.ftrace_events.lost_events = lost
    packet.ftrace_events.event.add(timestamp=5).sched_switch.next_pid = 4
    return packet


BEGIN, END = FtraceStats.START_OF_TRACE, FtraceStats.END_OF_TRACE
Write = Callable[[Iterable[Any]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(packets: Iterable[Any]) -> Path:
        path = tmp_path / "perfetto.trace"
        with PacketWriter(path) as out:
            for packet in packets:
                out.write(packet)
        return path

    return writer


def test_a_whole_trace(write: Write) -> None:
    path = write([stats(BEGIN, overrun=4), bundle(0), stats(END, overrun=4), buffers()])
    assert judge_perfetto(path, RunTimes((), (0, 1))) == ((), ())


@pytest.mark.parametrize(
    ("packets", "line"),
    [
        (
            [stats(BEGIN, overrun=4), stats(END, overrun=6), buffers()],
            "2 ftrace events overwritten before they were read on CPU 0 (overrun)",
        ),
        ([stats(BEGIN), stats(END, dropped_events=1), buffers()], "(dropped_events)"),
        ([stats(BEGIN), stats(END, commit_overrun=1), buffers()], "(commit_overrun)"),
        (
            [stats(BEGIN), bundle(3, lost=True), stats(END), buffers()],
            "1 ftrace bundles marked incomplete on CPU 3",
        ),
        (
            [stats(BEGIN), stats(END), buffers(chunks_overwritten=8)],
            "8 chunks overwritten in perfetto's buffer, buffer 1 (chunks_overwritten)",
        ),
        ([stats(BEGIN), stats(END), buffers(chunks_discarded=8)], "chunks_discarded"),
        ([stats(BEGIN), stats(END), buffers(trace_writer_packet_loss=8)], "trace_writer_packet_loss"),
        ([stats(BEGIN), buffers()], "ftrace's closing statistics"),
        ([stats(BEGIN), stats(END)], "perfetto's closing statistics"),
    ],
)
def test_each_loss_is_named(write: Write, packets: list[Any], line: str) -> None:
    loss, _ = judge_perfetto(write(packets), RunTimes((), (0, 1)))
    assert len(loss) == 1
    assert line in loss[0].text


@pytest.mark.parametrize(
    ("number", "data"),
    [(0, {"scheduling", "events", "probes"}), (1, {"names", "counters", "power"})],
)
def test_packets_lost_on_their_way_void_what_shares_their_buffer(
    write: Write, number: int, data: set[str]
) -> None:
    """trace_writer_packet_loss is counted for each buffer; the config keeps events in one of their own."""
    config = TracePacket()
    text = trace_config(ASKED, service=SERVICES[36], period_ms=250, power_rails=True)
    config.trace_config.CopyFrom(parsed(text))
    last = TracePacket(timestamp=9)
    for buffer in (0, 1):
        last.trace_stats.buffer_stats.add(trace_writer_packet_loss=3 * (buffer == number))
    (loss,), _ = judge_perfetto(write([config, stats(BEGIN), stats(END), last]), RunTimes((), (0, 1)))
    assert set(loss.data) == data


def test_events_that_the_service_could_not_enable(write: Write) -> None:
    begin = stats(BEGIN)
    begin.ftrace_stats.unknown_ftrace_events.append("vmscan/of_tomorrow")
    begin.ftrace_stats.failed_ftrace_events.append("vmscan/denied")
    assert judge_perfetto(write([begin, stats(END), buffers()]), RunTimes((), (0, 1)))[1] == (
        "vmscan/denied",
        "vmscan/of_tomorrow",
    )


def test_damage_is_told_with_its_place(write: Write) -> None:
    path = write([stats(BEGIN), bundle(0), stats(END), buffers()])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            loss, _ = judge_perfetto(path, RunTimes((), (0, 1)))
        except TraceError:
            continue
        assert loss, f"cut at byte {length} of {len(whole)} and not noticed"
    path.write_bytes(b"\x0b" + whole[1:])
    with pytest.raises(TraceError, match="at byte 0"):
        judge_perfetto(path, RunTimes((), (0, 1)))


def test_compact_and_full_switches_give_the_same_run_times(write: Write) -> None:
    # Of the first switch of a CPU a compact event does not say enough: see `RunTimes`.
    switches = [(90, 7, 0), (100, 0, 42), (150, 42, 7), (175, 7, 42), (260, 42, 0)]
    full, compact = TracePacket(), TracePacket()
    for t_ns, prev, following in switches:
        event = full.ftrace_events.event.add(timestamp=t_ns)
        event.sched_switch.prev_pid, event.sched_switch.next_pid = prev, following
    compact.ftrace_events.compact_sched.switch_timestamp.extend([90, 10, 50, 25, 85])
    compact.ftrace_events.compact_sched.switch_next_pid.extend([0, 42, 7, 42, 0])
    for packet in (full, compact):
        run_times = RunTimes((42, 43), (120, 250))
        judge_perfetto(write([packet]), run_times)
        inside = OnCpu((150 - 120) + (250 - 175), 2)
        # It still runs at the window's end, so its schedstat may lag by that interval.
        moved = Moved(late_ns=250 - 175)
        around_ns = (150 - 100) + (260 - 175)
        assert run_times.result(300) == {42: RunTime(inside, around_ns, moved), 43: RunTime()}
