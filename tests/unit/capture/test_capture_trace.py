"""A capture built in code -> a trace, read back packet by packet: nothing changed, nothing lost."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contract.packets import read_packets, varint
from foundation.errors import TraceError
from harness.capture import assemble
from harness.capture.perfetto.perfetto_session import TRACE_FILE
from tests.unit.capture.capture_raw import SWITCHES, raw_capture, service_trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "capture-raw"
    path.mkdir()
    return path


def test_report_describes_the_file(folder: Path, tmp_path: Path) -> None:
    report = assemble(raw_capture(folder), SWITCHES, tmp_path / "t.perfetto-trace")
    content = report.path.read_bytes()
    assert report.bytes == len(content)
    assert report.sha256 == hashlib.sha256(content).hexdigest()
    assert report.backend == "perfetto"
    assert report.loss == ()
    assert report.void_reasons == ()
    assert report.thread_names == ("kcompressd:0", "kswapd0")
    assert report.missing_events == ("sched/sched_blocked_reason",)
    assert not folder.exists()


def test_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    raw = raw_capture(folder)
    first = assemble(raw, SWITCHES, tmp_path / "a", keep_raw=True)
    assert assemble(raw, SWITCHES, tmp_path / "b").sha256 == first.sha256


def test_the_services_packets_follow_unchanged(folder: Path, tmp_path: Path) -> None:
    raw = raw_capture(folder)
    service_trace(tmp_path / "service")
    path = assemble(raw, (), tmp_path / "t").path
    assert path.read_bytes().endswith((tmp_path / "service").read_bytes())


def test_edges_of_the_window_carry_the_exact_samples(folder: Path, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("cut", [1, 100])
def test_truncated_recording_is_an_error_and_leaves_no_trace(
    folder: Path, tmp_path: Path, cut: int
) -> None:
    raw = raw_capture(folder)
    whole = (folder / TRACE_FILE).read_bytes()
    (folder / TRACE_FILE).write_bytes(whole[:-cut])
    with pytest.raises(TraceError, match=TRACE_FILE):
        assemble(raw, (), tmp_path / "t")
    assert not (tmp_path / "t").exists()
    assert folder.exists()


def test_trouble_of_the_recording_is_a_void_reason(folder: Path, tmp_path: Path) -> None:
    raw = dataclasses.replace(raw_capture(folder), troubles=("the counter poller ended by itself",))
    assert assemble(raw, (), tmp_path / "t").void_reasons == ("the counter poller ended by itself",)


@pytest.mark.parametrize("keep", [0, 1, 40, 5000])
def test_cut_trace_is_refused(folder: Path, tmp_path: Path, keep: int) -> None:
    path = assemble(raw_capture(folder), (), tmp_path / "t").path
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TraceError, match=r"t is (empty|cut short)"):
        list(read_packets(path))


@given(st.integers(0, 1 << 64))
def test_varint(value: int) -> None:
    encoded = varint(value)
    decoded = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(encoded))
    assert decoded == value
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert encoded[-1] < 0x80
