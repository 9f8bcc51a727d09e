"""A capture built in code -> a trace, read back packet by packet: nothing changed, nothing lost."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contract.losses import FTRACE, lost
from foundation.contract.packets import read_packets, varint
from foundation.errors import TraceError
from harness.capture import assemble
from tests.unit.capture.capture_raw import SWITCHES, raw_capture, write_pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "capture-raw"
    path.mkdir()
    return path


def test_running_time_is_that_of_the_records(folder: Path, tmp_path: Path) -> None:
    truth = write_pages(folder)
    report = assemble(raw_capture(folder), SWITCHES, tmp_path / "t.perfetto-trace")
    run_ns: Counter[int] = Counter()
    running: dict[int, tuple[int, int]] = {}
    events: Counter[int] = Counter()
    for packet in read_packets(report.path):
        if packet.WhichOneof("data") != "ftrace_events":
            continue
        bundle = packet.ftrace_events
        events[bundle.cpu] += len(bundle.event)
        times = [event.timestamp for event in bundle.event]
        assert times == sorted(times)
        for event in bundle.event:
            if event.WhichOneof("event") != "sched_switch":
                continue
            switch = event.sched_switch
            if bundle.cpu in running:
                pid, since = running[bundle.cpu]
                assert pid == switch.prev_pid
                if pid:
                    run_ns[pid] += event.timestamp - since
            running[bundle.cpu] = switch.next_pid, event.timestamp
    assert dict(run_ns) == truth.run_ns
    assert dict(events) == truth.records
    assert sum(report.records.values()) == sum(truth.records.values())
    assert report.loss == ()
    assert report.void_reasons == ()


def test_report_describes_the_file(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    report = assemble(raw_capture(folder), SWITCHES, tmp_path / "t.perfetto-trace")
    content = report.path.read_bytes()
    assert report.bytes == len(content)
    assert report.sha256 == hashlib.sha256(content).hexdigest()
    assert report.backend == "ftrace"
    assert report.thread_names == ("kcompressd:0", "kswapd0")
    assert report.missing_events == ("sched/sched_blocked_reason",)
    assert not folder.exists()


def test_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    raw = raw_capture(folder)
    first = assemble(raw, SWITCHES, tmp_path / "a", keep_raw=True)
    assert assemble(raw, SWITCHES, tmp_path / "b").sha256 == first.sha256


def test_the_closing_statistics_come_last(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    last = list(read_packets(assemble(raw_capture(folder), (), tmp_path / "t").path))[-1]
    assert last.ftrace_stats.phase == 2
    assert [cpu.cpu for cpu in last.ftrace_stats.cpu_stats] == [0, 1]


def test_edges_of_the_window_carry_the_exact_samples(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    raw = raw_capture(folder)
    report = assemble(raw, SWITCHES, tmp_path / "t")
    names: dict[int, str] = {}
    seen: dict[str, dict[int, float]] = {}
    for packet in read_packets(report.path):
        if packet.HasField("track_descriptor"):
            names[packet.track_descriptor.uuid] = packet.track_descriptor.name
        elif packet.track_event.HasField("counter_value") or packet.track_event.HasField(
            "double_counter_value"
        ):
            event = packet.track_event
            value = event.counter_value if event.HasField("counter_value") else event.double_counter_value
            seen.setdefault(names[event.track_uuid], {})[packet.timestamp] = value
    begin, end = report.window_ns
    assert (begin, end) == (raw.begin.t_end_boot_ns, raw.end.t_boot_ns)
    assert {name: at[begin] for name, at in seen.items()} == dict(raw.begin.values)
    assert {name: at[end] for name, at in seen.items()} == dict(raw.end.values)
    for name, at in seen.items():
        for sample in raw.between:
            assert at[max(t for t in at if t <= sample.t_boot_ns)] == sample.values[name]


def test_marked_gap_is_loss_and_stands_in_the_trace(folder: Path, tmp_path: Path) -> None:
    write_pages(folder, miss=True)
    report = assemble(raw_capture(folder), (), tmp_path / "t")
    assert report.loss == (lost("events are missing between pages of CPU 1 (123)", FTRACE),)
    marked = [p.ftrace_events.cpu for p in read_packets(report.path) if p.ftrace_events.lost_events]
    assert marked == [1]


@pytest.mark.parametrize("name", ["cpu0.raw", "cpu1.raw"])
def test_truncated_page_is_an_error_and_leaves_no_trace(folder: Path, tmp_path: Path, name: str) -> None:
    write_pages(folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) - 100])
    with pytest.raises(TraceError, match=name):
        assemble(raw_capture(folder), (), tmp_path / "t")
    assert not (tmp_path / "t").exists()
    assert folder.exists()


def test_a_whole_page_that_did_not_arrive_is_loss(folder: Path, tmp_path: Path) -> None:
    truth = write_pages(folder)
    whole = (folder / "cpu1.raw").read_bytes()
    (folder / "cpu1.raw").write_bytes(whole[:-4096])
    report = assemble(raw_capture(folder), (), tmp_path / "t")
    (loss,) = report.loss
    assert loss.text.startswith("the trace of CPU 1 has ")
    assert loss.text.endswith(f" of {truth.records[1]} events")


def test_event_that_nobody_asked_for(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    formats = (folder / "formats.txt").read_text()
    (folder / "formats.txt").write_text(formats.replace("ID: 315", "ID: 316"))
    with pytest.raises(TraceError, match="event 315"):
        assemble(raw_capture(folder), (), tmp_path / "t")


def test_trouble_of_the_recording_is_a_void_reason(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    raw = dataclasses.replace(raw_capture(folder), troubles=("the counter poller ended by itself",))
    assert assemble(raw, (), tmp_path / "t").void_reasons == ("the counter poller ended by itself",)


@pytest.mark.parametrize("keep", [0, 1, 40, 5000])
def test_cut_trace_is_refused(folder: Path, tmp_path: Path, keep: int) -> None:
    write_pages(folder)
    path = assemble(raw_capture(folder), (), tmp_path / "t").path
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TraceError, match=r"t is (empty|cut short)"):
        list(read_packets(path))


def test_clock_and_kernel_stand_before_the_first_event(folder: Path, tmp_path: Path) -> None:
    write_pages(folder)
    kinds = [
        p.WhichOneof("data") for p in read_packets(assemble(raw_capture(folder), (), tmp_path / "t").path)
    ]
    first = kinds.index("ftrace_events")
    assert {"clock_snapshot", "system_info", "trace_config", "process_tree"} <= set(kinds[:first])


@given(st.integers(0, 1 << 64))
def test_varint(value: int) -> None:
    encoded = varint(value)
    decoded = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(encoded))
    assert decoded == value
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert encoded[-1] < 0x80
