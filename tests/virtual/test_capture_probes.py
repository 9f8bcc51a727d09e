"""Calls of kernel functions, recorded on a real kernel: whole, in agreement with its counters, undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.metrics import compute
from analysis.metrics import reclaim_probes as probes
from analysis.trace.recording import as_int
from analysis.trace_processor import open_trace
from foundation.contract import conventions
from foundation.contract.device import Device
from foundation.contract.needs import Needs, Probe
from foundation.errors import StateError
from harness.capture import (
    Capture,
    CaptureReport,
    RawCapture,
    assemble,
)
from harness.capture.perfetto.perfetto_config import Limits
from harness.virtual.kernels.debian import MODULE_BASE
from harness.virtual.lane import VirtualLane
from tests.virtual.test_capture_guest import PRESSURE, RECLAIM, TRACING, Guest, found, rise

GONE = Probe("of_tomorrow", ("shrink_tomorrow", "shrink_the_day_after"))
NEEDS = Needs(
    ftrace_events=RECLAIM,
    probes=probes.NEEDS.probes | {GONE},
    vmstat=frozenset({"pswpout"}),
    zram=True,
    schedstat=True,
)


@pytest.fixture(scope="module", params=["stock", "kcompressd"])
def booted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    lane = VirtualLane(
        name="probes",
        memory_mb=272,
        base=MODULE_BASE,
        workdir=tmp_path_factory.mktemp("lane"),
    )
    try:
        yield Guest(lane, request.param)
        assert lane.crash_log() is None
    finally:
        lane.close()


@pytest.fixture
def guest(booted: Guest) -> Device:
    return booted.device()


def everything(device: Device) -> dict[str, object]:
    return {**found(device), "probes": device.read_text(f"{TRACING}/kprobe_events")}


def record(device: Device, folder: Path) -> tuple[RawCapture, CaptureReport]:
    capture = Capture(device, NEEDS, folder)
    capture.start()
    device.script(capture.begin_text())
    device.script(PRESSURE, deadline_s=120)
    device.script(capture.end_text())
    raw = capture.stop()
    return raw, assemble(raw, (), folder / "trace.perfetto-trace")


def test_every_call_of_each_recording_is_there(guest: Device, tmp_path: Path) -> None:
    """The service keeps the ids of events by name: another set may not take the names of the last."""
    for run in ("first", "second"):
        raw, report = record(guest, tmp_path / run)
        assert report.void_reasons == ()
        with open_trace(report.path) as trace:
            rows = trace.rows(
                "select name, count(*) from ftrace_event where name glob '*_e[nx]*' group by 1"
            )
        counts = {str(name): as_int(count) for name, count in rows}
        for placed in raw.probes:
            enter, leave = conventions.probe_events(placed.probe.name)
            # A call may be under way at either end of the recording.
            assert counts.get(enter, 0) == pytest.approx(counts.get(leave, 0), abs=2), placed.symbol


def test_the_parts_of_a_cycle_on_a_real_kernel(guest: Device, tmp_path: Path) -> None:
    # Of another program, and of a run of ours that was killed.
    guest.script(
        f"echo 'p:others/theirs vfs_read' >> {TRACING}/kprobe_events;"
        f" echo 'p:{conventions.PROBE_GROUP}/left_enter vfs_write' >> {TRACING}/kprobe_events"
    )
    raw, report = record(guest, tmp_path)
    left = everything(guest)
    guest.script(f"echo '-:others/theirs' >> {TRACING}/kprobe_events")
    assert left["probes"] == "p:others/theirs vfs_read\n"
    assert (left["instances"], left["files"], left["processes"]) == ([], [], [])

    assert report.loss == ()
    assert report.void_reasons == ()
    assert {placed.probe for placed in raw.probes} == set(probes.ALL)
    assert list(raw.missing_probes) == ["of_tomorrow"]
    assert "no function shrink_tomorrow or shrink_the_day_after" in raw.missing_probes["of_tomorrow"]
    assert raw.probe_cost_ns is not None
    assert raw.probe_cost_ns > 0

    names = [metric for metric in _known() if metric not in ("t3_us_per_page",)]
    values = {value.metric: value for value in compute(report.path, names)}
    assert [name for name, value in values.items() if value.value is None] == []
    figures = {name: value.value or 0.0 for name, value in values.items()}
    swapped = rise(raw, conventions.vmstat("pswpout"))
    assert 0 < figures["cycle_pages"] <= swapped
    assert 0 < figures["t1_scan_unmap_ms"] < figures["cycle_wall_ms"] < figures["kswapd_awake_ms"] * 1.1
    with_thread = "kcompressd:0" in report.thread_names
    assert (figures["t2_in_kswapd_share"] == 1) == (not with_thread)
    assert 0 < figures["probe_cost_share"] < 1
    steps = sum(figures[f"step_{step}_us_per_page"] for step in ("scan", "add_to_swap", "unmap", "flush"))
    steps += figures["step_write_out_us_per_page"] + figures["step_clear_us_per_page"]
    in_kswapd = figures["t2_us_per_page"] * figures["t2_in_kswapd_share"]
    assert steps == pytest.approx(figures["t1_us_per_page"] + in_kswapd, rel=0.02)


def _known() -> tuple[str, ...]:
    from analysis.metrics.reclaim_cycle import METRICS

    return (*(metric.name for metric in METRICS), "kswapd_awake_ms")


def test_what_was_put_in_is_taken_out_on_every_way(guest: Device, tmp_path: Path) -> None:
    before = everything(guest)
    capture = Capture(guest, NEEDS, tmp_path, limits=Limits(cpu_buffer_kb=4_000_000, held=True))
    with pytest.raises(StateError, match="of 4000000 KiB per CPU to the recording"):
        capture.start()
    assert everything(guest) == before
