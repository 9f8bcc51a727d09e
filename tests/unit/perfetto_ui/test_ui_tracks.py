"""What is added to a trace for the UI: true to the trace, read back by a trace processor."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket

from analysis.perfetto_ui import derived as names
from analysis.perfetto_ui.derived import derive
from analysis.perfetto_ui.packets import (
    CounterTrack,
    Slice,
    SliceTrack,
    packets_of,
)
from analysis.perfetto_ui.trace_copy import copy_with_tracks
from analysis.trace_processor import messages, open_trace
from analysis.trace_processor.choice import EngineChoice, find_engine
from analysis.trace_processor.wasm import WasmInstance
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, write
from tests.unit.golden.systrace import as_text


def _busy() -> TraceBuilder:
    builder = of_suite()
    builder.thread(60, "kcompressd:0")
    builder.thread(71, "com.example.game", tgid=71)
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(60, 1312 * MS, 1313 * MS, cpu=1)
    builder.kswapd_awake(50, 1300 * MS, None)
    builder.kswapd_awake(50, 1305 * MS, 1320 * MS)
    builder.direct_reclaim(70, 1315 * MS, 1330 * MS)
    builder.direct_reclaim(71, 1318 * MS, 1325 * MS, cpu=1)
    builder.direct_reclaim(60, 1340 * MS, 1390 * MS)
    builder.direct_reclaim(70, 1850 * MS, 1950 * MS)  # longer, but after the window
    builder.offer(50, 1301 * MS, 1)
    builder.offer(50, 1302 * MS, 2)
    builder.done(60, 1312 * MS, wait=10 * MS, compress=1 * MS)
    builder.done(60, 1313 * MS, wait=10 * MS, compress=1 * MS)
    builder.switch("com.example.app", 1300 * MS, 1400 * MS, index=0, launch_state="HOT", total_time_ms=80.0)
    builder.switch(
        "com.example.game", 1500 * MS, 1700 * MS, index=1, launch_state="COLD", total_time_ms=150.0
    )
    builder.switch("com.example.app", 1710 * MS, 1790 * MS, index=2, launch_state="HOT")
    builder.counter("vmstat.pswpout", 1200 * MS, 100)
    builder.counter("vmstat.pswpout", 1400 * MS, 300)
    builder.counter("vmstat.pswpout", 1800 * MS, 300)
    builder.capture()
    return builder


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(tmp_path, _busy().build())


def test_tracks_and_moments_are_those_of_the_trace(trace: Path) -> None:
    with open_trace(trace) as session:
        found = derive(session)
    tracks = {track.name: track for track in found.tracks}
    phases = tracks[names.PHASES]
    assert isinstance(phases, SliceTrack)
    assert [(one.ts // MS, one.dur // MS, one.name) for one in phases.slices] == [
        (1300, 15, "kswapd"),
        (1315, 5, "kswapd and direct"),
        (1320, 10, "direct"),
        (1850, 100, "direct"),
    ]
    awake = tracks["kswapd0 awake"]
    assert isinstance(awake, SliceTrack)
    assert [(one.ts // MS, one.dur // MS) for one in awake.slices] == [(1300, 20)]
    waiting = tracks[names.WAITING]
    assert isinstance(waiting, CounterTrack)
    assert [(ts // MS, value) for ts, value in waiting.points] == [
        (1301, 1),
        (1302, 2),
        (1311, 1),
        (1312, 0),
    ]
    swap_out = tracks[names.SWAP_OUT]
    assert isinstance(swap_out, CounterTrack)
    assert swap_out.points == [(1200 * MS, 1000.0), (1400 * MS, 0.0), (1800 * MS, 0.0)]
    assert found.threads == ("kswapd0 50", "kcompressd:0 60")
    assert (found.window.ts, found.window.dur) == (1200 * MS, 600 * MS)
    slowest = found.slowest_switch
    assert slowest is not None
    assert slowest.label == "#1 com.example.game COLD 150 ms"
    # Neither the compression thread's own nor the longer one after the window.
    assert found.stall is not None
    assert (found.stall.ts, found.stall.dur) == (1315 * MS, 15 * MS)


def test_what_was_not_recorded_is_left_out(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    with open_trace(write(tmp_path, builder.build())) as session:
        found = derive(session)
    assert [track.name for track in found.tracks] == [names.MOMENTS]
    assert found.stall is None
    assert found.slowest_switch is None


def _slices(path: Path, track: str) -> list[tuple[object, ...]]:
    query = (
        "SELECT s.ts, s.dur, s.name FROM slice AS s JOIN track AS t ON s.track_id = t.id"
        f" WHERE t.name = '{track}' ORDER BY s.ts"
    )
    with open_trace(path) as session:
        return list(session.rows(query))


def test_a_copy_holds_the_tracks_and_changes_no_figure(trace: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pftrace"
    copy_with_tracks(trace, copy)
    assert trace.read_bytes() == copy.read_bytes()[: trace.stat().st_size]
    # The two that overlap keep their own lengths.
    assert _slices(copy, names.DIRECT) == [
        (1315 * MS, 15 * MS, "com.example.app 70"),
        (1318 * MS, 7 * MS, "com.example.game 71"),
        (1850 * MS, 100 * MS, "com.example.app 70"),
    ]
    with open_trace(copy) as session:
        depths = session.rows(
            "SELECT c.ts, c.value, ct.unit FROM counter AS c JOIN counter_track AS ct ON c.track_id = ct.id"
            f" WHERE ct.name = '{names.WAITING}' ORDER BY c.ts"
        )
        assert [(row[0], row[1]) for row in depths][-1] == (1312 * MS, 0)
        assert depths[0][2] == "pages"
        ((parents,),) = session.rows(
            "SELECT COUNT(*) FROM track AS t JOIN track AS p ON t.parent_id = p.id"
            f" WHERE p.name = '{names.GROUP}'"
        )
        assert isinstance(parents, int)
        assert parents >= 7
    before, after = figures(trace), figures(copy)
    assert {name: (one.value, one.reason) for name, one in before.items()} == {
        name: (one.value, one.reason) for name, one in after.items()
    }
    again = tmp_path / "again.pftrace"
    copy_with_tracks(trace, again)
    assert again.read_bytes() == copy.read_bytes()


def test_a_trace_in_windows_is_sorted_as_a_whole(trace: Path, tmp_path: Path) -> None:
    """The recorder of a phone marks each read of its buffers; the UI closes a window there."""
    marked = Trace()
    parts = Trace.FromString(trace.read_bytes()).packet
    for number, packet in enumerate(parts):
        marked.packet.add().CopyFrom(packet)
        mark = marked.packet.add()
        mark.timestamp = 1000 * MS + number
        mark.trusted_packet_sequence_id = 1
        if number % 2:
            mark.service_event.read_tracing_buffers_completed = True
        else:
            mark.service_event.all_data_sources_flushed = True
    phone = write(tmp_path, marked.SerializeToString(), "phone")
    copy = tmp_path / "copy.pftrace"
    copy_with_tracks(phone, copy)
    assert copy.stat().st_size > phone.stat().st_size
    engine = find_engine(EngineChoice(kind="wasm"), 0)
    instance = WasmInstance(engine.path)
    arguments = messages.message("ResetTraceProcessorArgs")(ingest_ftrace_in_raw_table=True)

    def ask(request: bytes) -> list[messages.Reply]:
        return messages.replies(instance.request(request))

    ask(messages.request(messages.RESET, "reset_trace_processor_args", arguments))
    ask(messages.request(messages.APPEND, "append_trace_data", copy.read_bytes()))
    ask(messages.request(messages.FINALIZE))
    sql = (
        "SELECT COUNT(*) FROM slice AS s JOIN track AS t ON s.track_id = t.id"
        f" WHERE t.name = '{names.DIRECT}'"
    )
    query = messages.message("QueryArgs")(sql_query=sql)
    answers = ask(messages.request(messages.QUERY, "query_args", query))
    assert len(answers) == 1
    rows = messages.rows_of(answers[0].query_result, sql).rows
    instance.close()
    assert rows == [(3,)]


def test_compressed_and_text_traces_are_copied(trace: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pftrace"
    copy_with_tracks(write(tmp_path, gzip.compress(trace.read_bytes()), "packed.gz"), copy)
    assert copy.read_bytes().startswith(trace.read_bytes())
    text = write(tmp_path, as_text(_busy()).encode(), "systrace.txt")
    found = copy_with_tracks(text, copy)
    assert copy.read_bytes() == text.read_bytes()
    assert found.window.dur > 0


def test_packets_are_well_formed_and_nest() -> None:
    many = [Slice(10 * n, 35, f"slice {n}", {"n": n, "share": 0.5, "word": "x"}) for n in range(200)]
    trace = Trace.FromString(packets_of("group", [SliceTrack("track", many)]))
    descriptors = [p.track_descriptor for p in trace.packet if p.HasField("track_descriptor")]
    assert [one.name for one in descriptors] == ["group", *["track"] * 4]
    assert trace.packet[0].sequence_flags == TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
    open_now: dict[int, int] = {}
    last = 0
    for packet in trace.packet[len(descriptors) :]:
        assert packet.timestamp >= last
        last = packet.timestamp
        event = packet.track_event
        open_now[event.track_uuid] = open_now.get(event.track_uuid, 0) + (1 if event.type == 1 else -1)
        assert open_now[event.track_uuid] in (0, 1)
    assert set(open_now.values()) == {0}
