"""Traces that lost something: refused with the loss named, never a silent number."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket

from foundation.contract import conventions
from foundation.contract.losses import lost
from foundation.contract.packets import SEQUENCE_SUITE, framed
from foundation.errors import TraceError
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, value, write


def _recorded() -> TraceBuilder:
    builder = of_suite()
    for index in range(20):
        begin = (1210 + 20 * index) * MS
        builder.run(50, begin, begin + 5 * MS)
        builder.run(70, begin + 5 * MS, begin + 9 * MS)
        builder.direct_reclaim(70, begin + 6 * MS, begin + 7 * MS)
    builder.counter("vmstat.pswpout", 1200 * MS, 0)
    builder.counter("vmstat.pswpout", 1800 * MS, 500)
    builder.capture()
    return builder


def test_the_undamaged_one_is_whole(tmp_path: Path) -> None:
    assert value(write(tmp_path, _recorded().build()), "kswapd_cpu_ms") == pytest.approx(100)


def test_a_trace_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = _recorded().build()
    silent = []
    for length in range(1, len(content), 61):
        try:
            figures(write(tmp_path, content[:length]))
        except TraceError:
            continue
        silent.append(length)
    assert silent == []


def test_a_trace_cut_between_any_two_packets_is_refused(tmp_path: Path) -> None:
    content = _recorded().build()
    position, ends = 0, []
    while position < len(content):
        size, shift, at = 0, 0, position + 1
        while True:
            size |= (content[at] & 0x7F) << shift
            shift += 7
            at += 1
            if content[at - 1] < 0x80:
                break
        position = at + size
        ends.append(position)
    assert ends[-1] == len(content)
    for end in ends[:-1]:
        with pytest.raises(TraceError):
            figures(write(tmp_path, content[:end]))


def test_corruption_is_refused_or_harmless_with_the_recorded_hash(tmp_path: Path) -> None:
    content = _recorded().build()
    (tmp_path / "rep.json").write_text(
        json.dumps({"trace": {"sha256": hashlib.sha256(content).hexdigest()}})
    )
    path = write(tmp_path, content)
    assert value(path, "kswapd_cpu_ms") == pytest.approx(100)
    draw = random.Random(20250307)
    for _ in range(15):
        damaged = bytearray(content)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        with pytest.raises(TraceError):
            figures(write(tmp_path, bytes(damaged)))


def test_corruption_without_a_hash_never_crashes_and_is_mostly_seen(tmp_path: Path) -> None:
    content = _recorded().build()
    draw = random.Random(20250430)
    seen = 0
    for _ in range(30):
        damaged = bytearray(content)
        for _ in range(30):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            figures(write(tmp_path, bytes(damaged)))
        except TraceError:
            seen += 1
    assert seen == 30


#: Metrics of scheduling, of other events, and of counters that the suite reads itself.
TRACED = ("kswapd_cpu_ms", "compression_cpu_ms", "direct_reclaim_count", "reclaim_cpu_us_per_page")
COUNTED = ("pswpout", "window_s")


def _lost(path: Path, why: str) -> None:
    """What is traced is lost, for this reason; what is counted stands."""
    found = figures(path)
    for name in TRACED:
        assert found[name].value is None, name
        assert why in str(found[name].reason), name
    assert found["pswpout"].value == 500
    assert all("lost" not in str(found[name].reason) for name in COUNTED)


def test_overwritten_and_lost_events_are_named(tmp_path: Path) -> None:
    builder = _recorded()
    _lost(write(tmp_path, builder.build(overrun=7)), "7 ftrace events overwritten")
    _lost(write(tmp_path, builder.build(lost_events=True)), "marked incomplete")


def test_a_switch_that_contradicts_the_one_before_is_named(tmp_path: Path) -> None:
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

    trace = Trace.FromString(_recorded().build())
    bundle = next(packet.ftrace_events for packet in trace.packet if packet.HasField("ftrace_events"))
    switches = [event for event in bundle.event if event.HasField("sched_switch")]
    bundle.event.remove(switches[10])
    _lost(write(tmp_path, trace.SerializeToString()), "contradict the previous one")


def test_a_loss_that_the_capture_saw_is_named(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture(**{conventions.CAPTURE_LOSS: "ftrace lost 12 events on CPU 1"})
    with pytest.raises(TraceError, match="lost 12 events on CPU 1"):
        figures(write(tmp_path, builder.build()))


def test_a_loss_of_some_data_that_the_capture_saw_voids_their_metrics(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    line = lost("a buffer of the service was too small", {"events"}).line
    builder.capture(**{conventions.CAPTURE_LOSS: line})
    found = figures(write(tmp_path, builder.build()))
    assert found["kswapd_cpu_ms"].value == pytest.approx(10)
    assert found["direct_reclaim_count"].value is None
    assert "a buffer of the service was too small" in str(found["direct_reclaim_count"].reason)


def test_a_lossy_trace_can_be_read_on_purpose(tmp_path: Path) -> None:
    found = figures(write(tmp_path, _recorded().build(overrun=7)), lossy=True)
    assert found["kswapd_cpu_ms"].value == pytest.approx(100)
    for name in TRACED:
        assert "not whole: 7 ftrace events overwritten" in str(found[name].reason)
    assert all("not whole" not in str(found[name].reason) for name in COUNTED)


def test_without_closing_statistics_the_trace_was_cut(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="ftrace's closing statistics"):
        figures(write(tmp_path, _recorded().build(closing=False)))


def test_a_perfetto_backend_needs_perfettos_closing_statistics(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture(**{conventions.CAPTURE_BACKEND: "perfetto"})
    with pytest.raises(TraceError, match="perfetto's closing statistics"):
        figures(write(tmp_path, builder.build()))


def _of_perfetto(*, stats_ns: int) -> bytes:
    """A recording by Perfetto whose last statistics were made at ``stats_ns``."""
    builder = of_suite()
    for index in range(20):
        begin = (1210 + 20 * index) * MS
        builder.run(50, begin, begin + 5 * MS)
    builder.counter("vmstat.pswpout", 1200 * MS, 0)
    builder.counter("vmstat.pswpout", 1800 * MS, 500)
    builder.capture(**{conventions.CAPTURE_BACKEND: "perfetto"})
    for packet in builder.packets:
        packet.trusted_packet_sequence_id = SEQUENCE_SUITE
    stats = TracePacket(trusted_packet_sequence_id=1, timestamp=stats_ns)
    stats.trace_stats.buffer_stats.add(bytes_written=1)
    made = framed(stats.SerializeToString())
    # What the service writes later follows in the file.
    return builder.build() + made if stats_ns >= 1800 * MS else made + builder.build()


def test_statistics_that_end_before_the_window_does_prove_nothing(tmp_path: Path) -> None:
    assert value(write(tmp_path, _of_perfetto(stats_ns=1800 * MS)), "kswapd_cpu_ms") == pytest.approx(100)
    found = figures(write(tmp_path, _of_perfetto(stats_ns=1100 * MS)))
    assert found["kswapd_cpu_ms"].value is None
    assert "perfetto's last statistics" in str(found["kswapd_cpu_ms"].reason)
    # The suite read these itself, at the edges of the window.
    assert found["pswpout"].value == 500


def test_two_windows_are_refused(tmp_path: Path) -> None:
    builder = _recorded()
    builder.repetition(1850 * MS, 1900 * MS)
    with pytest.raises(TraceError, match="2 repetitions"):
        figures(write(tmp_path, builder.build()))


def test_a_recording_without_window_is_refused(tmp_path: Path) -> None:
    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    with pytest.raises(TraceError, match="no repetition"):
        figures(write(tmp_path, builder.build()))


def test_empty_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is empty"):
        figures(write(tmp_path, b"", "nothing"))
    with pytest.raises(TraceError, match="No such file"):
        figures(tmp_path / "absent")
    with pytest.raises(TraceError, match="not a file"):
        figures(tmp_path)
    with pytest.raises(TraceError, match="not a trace"):
        figures(write(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(500), "picture.png"))


def test_schedstat_and_the_trace_must_agree(tmp_path: Path) -> None:
    def with_run_ns(last: int) -> Path:
        builder = _recorded()
        builder.counter("schedstat.kswapd0-50.run_ns", 1200 * MS, 5_000_000_000)
        builder.counter("schedstat.kswapd0-50.run_ns", 1800 * MS, 5_000_000_000 + last)
        return write(tmp_path, builder.build())

    # 100 ms in the trace; two ticks of 10 ms either way are let pass.
    for whole in (100, 82, 118):
        assert value(with_run_ns(whole * MS), "kswapd_cpu_ms") == pytest.approx(100)
    for wrong in (60, 140, 2000):
        _lost(with_run_ns(wrong * MS), f"kswapd0 ran {wrong}.0 ms by schedstat")


def test_a_thread_that_schedstat_saw_running_must_be_in_the_trace(tmp_path: Path) -> None:
    builder = _recorded()
    builder.counter("schedstat.kcompressd0-60.run_ns", 1200 * MS, 0)
    builder.counter("schedstat.kcompressd0-60.run_ns", 1800 * MS, 300 * MS)
    _lost(write(tmp_path, builder.build()), "kcompressd0 ran 300.0 ms by schedstat but is not in the trace")
