"""Perfetto's config, and what its traces say of their losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats, TraceConfig, TracePacket

from android_tests.capture import events
from android_tests.capture.packets import PacketWriter
from android_tests.capture.perfetto_config import check_config, trace_config
from android_tests.capture.perfetto_loss import judge_perfetto
from android_tests.capture.run_times import RunTimes
from foundation.errors import TraceError, UsageError


def test_config_holds_the_events_and_is_valid() -> None:
    asked = events.wanted({"sched/sched_switch", "vmscan/mm_vmscan_direct_reclaim_begin"})
    text = trace_config(asked, period_ms=250)
    check_config(text)
    config = text_format.Parse(text, TraceConfig())
    sources = {source.config.name: source.config for source in config.data_sources}
    assert tuple(sources["linux.ftrace"].ftrace_config.ftrace_events) == asked
    assert set(events.LIFETIME_EVENTS) < set(asked)
    assert sources["linux.sys_stats"].sys_stats_config.vmstat_period_ms == 250
    assert config.write_into_file
    assert config.flush_period_ms > 0


@pytest.mark.parametrize(("period_ms", "polled"), [(10, 100), (100, 100), (500, 500)])
def test_polling_is_never_faster_than_services_take(period_ms: int, polled: int) -> None:
    assert f"vmstat_period_ms: {polled} " in trace_config(["sched/sched_switch"], period_ms=period_ms)


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


def buffers(**losses: int) -> Any:
    packet = TracePacket()
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
        ([stats(BEGIN, overrun=4), stats(END, overrun=6), buffers()], "lost 2 events on CPU 0 (overrun)"),
        ([stats(BEGIN), stats(END, dropped_events=1), buffers()], "(dropped_events)"),
        ([stats(BEGIN), stats(END, commit_overrun=1), buffers()], "(commit_overrun)"),
        ([stats(BEGIN), bundle(3, lost=True), stats(END), buffers()], "before 1 pages of CPU 3"),
        (
            [stats(BEGIN), stats(END), buffers(chunks_overwritten=8)],
            "buffer 1 lost data (chunks_overwritten: 8)",
        ),
        ([stats(BEGIN), stats(END), buffers(chunks_discarded=8)], "chunks_discarded"),
        ([stats(BEGIN), stats(END), buffers(trace_writer_packet_loss=8)], "trace_writer_packet_loss"),
        ([stats(BEGIN), buffers()], "no closing ftrace statistics"),
        ([stats(BEGIN), stats(END)], "no buffer statistics"),
    ],
)
def test_each_loss_is_named(write: Write, packets: list[Any], line: str) -> None:
    loss, _ = judge_perfetto(write(packets), RunTimes((), (0, 1)))
    assert len(loss) == 1
    assert line in loss[0]


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
    switches = [(100, 0, 42), (150, 42, 7), (175, 7, 42), (260, 42, 0)]
    full, compact = TracePacket(), TracePacket()
    for t_ns, prev, following in switches:
        event = full.ftrace_events.event.add(timestamp=t_ns)
        event.sched_switch.prev_pid, event.sched_switch.next_pid = prev, following
    compact.ftrace_events.compact_sched.switch_timestamp.extend([100, 50, 25, 85])
    compact.ftrace_events.compact_sched.switch_next_pid.extend([42, 7, 42, 0])
    for packet in (full, compact):
        run_times = RunTimes((42, 43), (120, 250))
        judge_perfetto(write([packet]), run_times)
        assert run_times.result() == {42: (150 - 120) + (250 - 175), 43: 0}
