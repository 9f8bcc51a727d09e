"""Recording real reclaim on a real kernel: exact, lossless or void, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.trace.recording import as_int
from analysis.trace_processor import open_trace
from foundation.contract import conventions
from foundation.contract.device import Device
from foundation.contract.needs import Needs
from foundation.errors import StateError, SuiteError
from harness.capture import (
    BufferReservation,
    Capture,
    CaptureReport,
    RawCapture,
    assemble,
    reserve_buffer,
)
from harness.capture.perfetto.perfetto_config import Limits
from harness.capture.perfetto.perfetto_loss import judge_perfetto
from harness.capture.perfetto.perfetto_service import fields_refused
from harness.capture.perfetto.perfetto_session import REMOTE_FOLDER, TRACE_FILE
from harness.capture.run_times import RunTimes
from harness.virtual.base import DEFAULT_BASE
from harness.virtual.kernels.debian import MODULE_BASE
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

TRACING = "/sys/kernel/tracing"
#: By kind: the thread with events for each page is in the zram module.
BASES = {"stock": DEFAULT_BASE, "kcompressd": MODULE_BASE}

RECLAIM = frozenset(
    {
        "sched/sched_switch",
        "sched/sched_waking",
        "vmscan/mm_vmscan_direct_reclaim_begin",
        "vmscan/mm_vmscan_direct_reclaim_end",
        "vmscan/mm_vmscan_kswapd_wake",
        "vmscan/mm_vmscan_kswapd_sleep",
        "vmscan/mm_vmscan_write_folio",
        "vmscan/of_tomorrow",
    }
)
QUEUE = frozenset({"zram_kcompressd/kcompressd_queue", "zram_kcompressd/kcompressd_done"})

#: Fills memory with pages that can be swapped, some of them compressible, and takes them away again.
#: No zeros: from 6.12 on a page of zeros is noted in the swap map and written nowhere (mm/page_io.c).
PRESSURE = """
mkdir -p /mnt/pressure && mount -t tmpfs -o size=400m pressure /mnt/pressure
for i in 1 2 3; do
    (head -c 41943040 /dev/zero | tr "\\0" r; head -c 8388608 /dev/urandom) > /mnt/pressure/$i &
done
wait
head -c 62914560 /dev/urandom > /mnt/pressure/more
umount /mnt/pressure && rmdir /mnt/pressure
"""


class Guest:
    """A booted virtual device; one that has stopped answering is booted again."""

    def __init__(self, lane: VirtualLane, kind: str) -> None:
        self._lane = lane
        self._variant = virtual_variant(f"{kind}={kind}", lane.base)
        self._device: Device | None = None

    def device(self) -> Device:
        if self._device is not None:
            try:
                self._device.script("true", deadline_s=10)
            except SuiteError:
                self._device = None
        if self._device is None:
            self._device = boot_into(self._lane, self._variant)
            self._device.script(
                "set -e; echo 200M > /sys/block/zram0/disksize; mkswap /dev/zram0; swapon /dev/zram0;"
                " echo 100 > /proc/sys/vm/swappiness"
            )
        return self._device


@pytest.fixture(scope="module", params=["stock", "kcompressd"])
def booted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    lane = VirtualLane(name="capture", base=BASES[request.param], workdir=tmp_path_factory.mktemp("lane"))
    try:
        yield Guest(lane, request.param)
        assert lane.crash_log() is None
    finally:
        lane.close()


@pytest.fixture
def guest(booted: Guest) -> Device:
    return booted.device()


def found(device: Device) -> dict[str, object]:
    """Everything that a recording could leave behind."""
    comms = device.script("cat /proc/[0-9]*/comm; true").stdout.split()
    return {
        **{name: device.read_text(f"{TRACING}/{name}") for name in ("set_event", "current_tracer")},
        "instances": device.script(f"ls {TRACING}/instances").stdout.split(),
        "files": device.script(f"ls -A /data/local/tmp; ls -A {REMOTE_FOLDER}").stdout.split(),
        "processes": sorted(set(comms) & {"poller", "perfetto"}),
    }


def needs(device: Device) -> Needs:
    with_queue = device.script("test -d /sys/kernel/zram_kcompressd", check=False).exit_status == 0
    return Needs(
        ftrace_events=RECLAIM | (QUEUE if with_queue else frozenset()),
        vmstat=frozenset({"pswpout"}),
        zram=True,
        schedstat=True,
    )


def record(device: Device, folder: Path, **options: Any) -> tuple[RawCapture, CaptureReport]:
    capture = Capture(device, needs(device), folder, **options)
    capture.start()
    device.script(capture.begin_text())
    device.script(PRESSURE, deadline_s=120)
    device.script(capture.end_text())
    raw = capture.stop()
    return raw, assemble(raw, (), folder / "trace.perfetto-trace", keep_raw=True)


def rise(raw: RawCapture, *names: str) -> float:
    """How much counters rose in the window, in sum; names may end in an asterisk."""
    return sum(
        raw.end.values[key] - raw.begin.values[key]
        for key in raw.end.values
        for name in names
        if key == name or (name.endswith("*") and key.startswith(name[:-1]))
    )


def test_reclaim_is_recorded_whole_and_exact(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    raw, report = record(guest, tmp_path)
    assert found(guest) == before
    assert report.loss == ()
    assert report.void_reasons == ()
    assert report.missing_events == ("vmscan/of_tomorrow",)
    assert rise(raw, conventions.vmstat("pswpout")) > 1000

    begin, end = report.window_ns
    with open_trace(report.path) as trace:
        slices = trace.rows(
            "select count(*) from slice where name = 'mm_vmscan_direct_reclaim'"
            f" and ts between {begin} and {end}"
        )
        kswapd = trace.rows(
            f"select sum(min(ts + dur, {end}) - max(ts, {begin})) from sched join thread using (utid)"
            f" where name = 'kswapd0' and dur >= 0 and ts < {end} and ts + dur > {begin}"
        )
        # Perfetto has the names of threads that ran.
        nameless = trace.rows(
            "select distinct tid from sched join thread using (utid) where tid > 0 and name is null"
        )
        bad = trace.rows(
            "select name, value from stats where value != 0 and severity != 'info'"
            # There are no packages on a virtual device.
            " and name != 'packages_list_has_read_errors'"
        )
        written = trace.rows(
            "select count(*) from ftrace_event where name = 'mm_vmscan_write_folio'"
            f" and ts between {begin} and {end}"
        )
    assert slices == [(rise(raw, conventions.vmstat("allocstall_*")),)]
    assert written == [(rise(raw, conventions.vmstat("pswpout")),)]
    run_times = RunTimes(raw.begin.threads, raw.window_ns)
    judge_perfetto(raw.folder / TRACE_FILE, run_times)
    times = run_times.result(raw.stop_ns)
    assert times is not None
    (tid,) = [tid for tid, comm in raw.begin.threads.items() if comm == "kswapd0"]
    assert kswapd == [(times[tid].inside.ns,)]
    assert times[tid].inside.ns > 0
    assert nameless == []
    assert bad == []


def test_compression_thread_and_its_events(guest: Device, tmp_path: Path) -> None:
    raw, report = record(guest, tmp_path)
    with open_trace(report.path) as trace:
        rows = trace.rows(
            "select name, count(*) from ftrace_event where name glob 'kcompressd_*' group by name"
        )
    events = {str(name): as_int(count) for name, count in rows}
    if "kcompressd:0" not in report.thread_names:
        assert report.thread_names == ("kswapd0",)
        assert not events
        return
    assert {f"zram_kcompressd/{name}" for name in events} == QUEUE
    done = rise(raw, conventions.extra("/sys/kernel/zram_kcompressd/done"))
    # Those of the window, and what the thread had queued at its edges.
    assert events["kcompressd_done"] >= done > 0


def test_a_buffer_that_is_too_small_is_a_loss(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    _, report = record(guest, tmp_path, limits=Limits(cpu_buffer_kb=64, held=True))
    assert found(guest) == before
    assert any("overwritten before they were read" in loss.text for loss in report.loss)
    with open_trace(report.path) as trace:
        lost = trace.rows("select idx from stats where name = 'ftrace_cpu_has_data_loss' and value != 0")
        over = trace.rows("select idx from stats where name = 'ftrace_cpu_overrun_delta' and value != 0")
    assert lost == over != []


def test_a_poller_that_was_killed_makes_it_void(guest: Device, tmp_path: Path) -> None:
    capture = Capture(guest, needs(guest), tmp_path, period_ms=100)
    capture.start()
    guest.script(capture.begin_text())
    guest.script("kill -9 $(grep -lx poller /proc/[0-9]*/comm | cut -d/ -f3)")
    guest.script(capture.end_text())
    report = assemble(capture.stop(), (), tmp_path / "t")
    assert any("the counter poller ended by itself" in reason for reason in report.void_reasons)


def test_cancel_leaves_nothing(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    capture = Capture(guest, needs(guest), tmp_path)
    capture.start()
    during = found(guest)
    capture.cancel()
    capture.cancel()
    assert during["processes"] == ["perfetto", "poller"]
    assert found(guest) == before


def test_a_start_that_fails_leaves_nothing(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    capture = Capture(guest, needs(guest), tmp_path, limits=Limits(cpu_buffer_kb=4_000_000, held=True))
    with pytest.raises(StateError, match="of 4000000 KiB per CPU to the recording"):
        capture.start()
    assert found(guest) == before


def test_a_recording_gets_the_memory_that_was_put_aside_for_it(guest: Device, tmp_path: Path) -> None:
    size = f"{TRACING}/buffer_size_kb"
    before = found(guest), guest.read_text(size)
    with reserve_buffer(guest, needs(guest), guest.sleep) as reservation:
        held = int(guest.read_text(size).split()[0])
        assert held >= 8192
        for number in (1, 2):
            capture = Capture(guest, needs(guest), tmp_path / str(number), reservation=reservation)
            capture.start()
            taken = int(guest.read_text(size).split()[0])
            guest.script(capture.wrap("true"))
            capture.stop()
            # The service shrinks the buffer when it ends: it is grown back for the next recording.
            assert int(guest.read_text(size).split()[0]) == taken == held
    assert (found(guest), guest.read_text(size)) == before


def test_a_reservation_larger_than_the_memory_is_one_error(guest: Device) -> None:
    before = found(guest)
    with pytest.raises(StateError, match="no memory for a trace buffer of 4000000 KiB per CPU"):
        BufferReservation(guest, TRACING, 4_000_000, guest.sleep).hold()
    assert found(guest) == before


def test_what_a_killed_run_left_is_taken_over(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    Capture(guest, needs(guest), tmp_path / "killed").start()
    guest.script("kill -9 $(grep -lx poller /proc/[0-9]*/comm | cut -d/ -f3)")
    _, report = record(guest, tmp_path)
    assert report.loss == ()
    assert found(guest) == before


def test_a_real_service_names_the_fields_that_it_refuses(guest: Device) -> None:
    config = "buffers { size_kb: 64 }\nfield_of_tomorrow: 1\nduration_ms: 100\n"
    argv = ["perfetto", "-c", "-", "--txt", "-o", f"{REMOTE_FOLDER}/refused", "--background"]
    result = guest.shell(argv, stdin=config.encode(), check=False)
    assert result.exit_status != 0
    assert fields_refused(result.stdout + result.stderr, {"field_of_tomorrow", "other"}) == {
        "field_of_tomorrow"
    }
