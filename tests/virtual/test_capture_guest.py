"""Recording real reclaim on a real kernel: exact, lossless or void, and nothing left behind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.trace_processor import open_trace
from foundation.contract import conventions
from foundation.contract.device import Device
from foundation.contract.needs import Needs
from foundation.contract.packets import read_packets
from foundation.errors import StateError, SuiteError
from harness.capture import (
    BufferReservation,
    Capture,
    CaptureReport,
    RawCapture,
    assemble,
    reserve_buffer,
)
from harness.capture.buffer_reservation import INSTANCE as RESERVED
from harness.capture.capture import usual_buffer_kb
from harness.capture.events import split_present, tracefs_root, wanted
from harness.capture.ftrace.ftrace_format import parse_header_page
from harness.capture.ftrace.ftrace_pages import read_pages
from harness.capture.ftrace.ftrace_session import INSTANCE, FtraceSession
from harness.capture.ftrace.ftrace_trace import read_formats
from harness.capture.remote import RemoteFolder
from harness.native.build import binary
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

TRACING = "/sys/kernel/tracing"

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
PRESSURE = """
mkdir -p /mnt/pressure && mount -t tmpfs -o size=400m pressure /mnt/pressure
for i in 1 2 3; do
    (dd if=/dev/zero bs=1M count=40; dd if=/dev/urandom bs=1M count=8) > /mnt/pressure/$i 2>/dev/null &
done
wait
dd if=/dev/urandom of=/mnt/pressure/more bs=1M count=40 2>/dev/null
umount /mnt/pressure && rmdir /mnt/pressure
"""


class Guest:
    """A booted virtual device; one that has stopped answering is booted again."""

    def __init__(self, lane: VirtualLane, kind: str) -> None:
        self._lane = lane
        self._variant = virtual_variant(f"{kind}={kind}")
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
    lane = VirtualLane(name="capture", cpus=2, memory_mb=256, workdir=tmp_path_factory.mktemp("lane"))
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
    text = {
        name: device.read_text(f"{TRACING}/{name}")
        for name in ("tracing_on", "set_event", "trace_clock", "current_tracer", "buffer_size_kb")
    }
    # "7 (expanded: 1408)" is the kernel's promise; it rounds sizes to pages of 4080 bytes.
    kb = int(re.findall(r"\d+", text.pop("buffer_size_kb"))[-1])
    comms = device.script("cat /proc/[0-9]*/comm; true").stdout.split()
    return {
        **text,
        "pages": -(-kb * 1024 // 4080),
        "instances": device.script(f"ls {TRACING}/instances").stdout.split(),
        "files": device.script("ls -A /data/local/tmp").stdout.split(),
        "processes": sorted(set(comms) & {"poller", "recorder", "perfetto"}),
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
    run_ns = kswapd_run_ns(report.path)
    with open_trace(report.path) as trace:
        slices = trace.rows(
            "select count(*) from slice where name = 'mm_vmscan_direct_reclaim'"
            f" and ts between {begin} and {end}"
        )
        kswapd = trace.rows(
            "select sum(dur) from sched join thread using (utid) where name = 'kswapd0' and dur >= 0"
        )
        nameless = trace.rows("select tid from thread where tid > 0 and name is null")
        bad = trace.rows("select name, value from stats where value != 0 and severity != 'info'")
        written = trace.rows(
            "select count(*) from ftrace_event where name = 'mm_vmscan_write_folio'"
            f" and ts between {begin} and {end}"
        )
    assert slices == [(rise(raw, conventions.vmstat("allocstall_*")),)]
    assert written == [(rise(raw, conventions.vmstat("pswpout")),)]
    assert kswapd == [(run_ns,)]
    assert run_ns > 0
    assert nameless == []
    assert bad == []


def kswapd_run_ns(path: Path) -> int:
    """Time of kswapd on CPU between its recorded switches, by the packets of the trace."""
    total = 0
    since: dict[int, int] = {}
    for packet in read_packets(path):
        for event in packet.ftrace_events.event:
            if not event.HasField("sched_switch"):
                continue
            cpu, switch = packet.ftrace_events.cpu, event.sched_switch
            if switch.prev_comm == "kswapd0" and cpu in since:
                total += event.timestamp - since.pop(cpu)
            if switch.next_comm == "kswapd0":
                since[cpu] = event.timestamp
    return total


def test_compression_thread_and_its_events(guest: Device, tmp_path: Path) -> None:
    raw, report = record(guest, tmp_path)
    events = {name for name in report.records if name.startswith("zram_kcompressd/")}
    if "kcompressd:0" not in report.thread_names:
        assert report.thread_names == ("kswapd0",)
        assert not events
        return
    assert events == QUEUE
    assert report.records["zram_kcompressd/kcompressd_done"] == rise(
        raw, conventions.extra("/sys/kernel/zram_kcompressd/done")
    )


LINE = re.compile(
    r"^ *(?P<comm>.+)-(?P<pid>\d+) +\[(?P<cpu>\d+)\] \S+ +(?P<s>\d+)\.(?P<us>\d+): (?P<name>\w+):"
)


def test_pages_say_what_the_kernel_prints(guest: Device, tmp_path: Path) -> None:
    root = tracefs_root(guest)
    assert root == TRACING
    remote = RemoteFolder(guest)
    remote.make()
    remote.push_program("recorder", binary("recorder", "x86_64"))
    present, missing = split_present(guest, root, wanted(RECLAIM))
    assert missing == ("vmscan/of_tomorrow",)
    session = FtraceSession(guest, remote, root, present, 1024)
    session.start()
    try:
        guest.script("for i in 1 2 3 4 5; do /system/bin/busybox true; sleep 0.02; done")
        session.stop()
        printed = guest.read_text(f"{root}/instances/{INSTANCE}/trace", deadline_s=60)
        session.collect(tmp_path)
    finally:
        session.close()
        remote.remove()
    layout = parse_header_page((tmp_path / "header_page.txt").read_text())
    names = {item.id: item.name for item in read_formats((tmp_path / "formats.txt").read_text())}
    mine: Counter[tuple[int, int, str, int]] = Counter()
    for cpu in session.cpus:
        for page in read_pages(tmp_path / f"cpu{cpu}.raw", layout):
            for time, start, _ in page.records:
                event = int.from_bytes(page.data[start : start + 2], "little")
                pid = int.from_bytes(page.data[start + 4 : start + 8], "little", signed=True)
                mine[cpu, (time + 500) // 1000, names[event], pid] += 1
    theirs: Counter[tuple[int, int, str, int]] = Counter()
    for line in printed.splitlines():
        if match := LINE.match(line):
            microseconds = int(match["s"]) * 1_000_000 + int(match["us"])
            theirs[int(match["cpu"]), microseconds, match["name"], int(match["pid"])] += 1
    assert theirs == mine
    assert mine.total() == sum(cpu.entries for cpu in session.stats_end) > 50


def test_a_buffer_that_is_too_small_is_a_loss(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    _, report = record(guest, tmp_path, buffer_kb_per_cpu=64)
    assert found(guest) == before
    assert any("overwritten before they were read" in line for line in report.loss)
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
    assert during["instances"] == [INSTANCE]
    assert during["processes"] == ["poller"]
    assert found(guest) == before


def test_a_start_that_fails_leaves_nothing(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    capture = Capture(guest, needs(guest), tmp_path, buffer_kb_per_cpu=4_000_000)
    with pytest.raises(StateError, match="could not be set up"):
        capture.start()
    assert found(guest) == before


def test_a_recording_gets_the_memory_that_was_put_aside_for_it(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    with reserve_buffer(guest, needs(guest)) as reservation:
        assert reservation is not None
        assert found(guest)["instances"] == [RESERVED]
        capture = Capture(guest, needs(guest), tmp_path, reservation=reservation)
        capture.start()
        assert found(guest)["instances"] == [INSTANCE]
        guest.script(capture.begin_text())
        guest.script(capture.end_text())
        capture.stop()
        held = guest.read_text(f"{TRACING}/instances/{RESERVED}/buffer_size_kb")
        assert found(guest)["instances"] == [RESERVED]
    assert int(held.split()[0]) >= usual_buffer_kb(guest, needs(guest), 2)
    assert found(guest) == before


def test_a_reservation_larger_than_the_memory_is_one_error(guest: Device) -> None:
    before = found(guest)
    with pytest.raises(StateError, match="no memory for a trace buffer of 4000000 KiB per CPU"):
        BufferReservation(guest, TRACING, 4_000_000).hold()
    assert found(guest) == before


def test_what_a_killed_run_left_is_taken_over(guest: Device, tmp_path: Path) -> None:
    before = found(guest)
    guest.script(
        f"set -e; mkdir {TRACING}/instances/{INSTANCE}; echo 1 > {TRACING}/instances/{INSTANCE}/tracing_on;"
        f" echo 1 > {TRACING}/instances/{INSTANCE}/events/sched/enable"
    )
    _, report = record(guest, tmp_path)
    assert report.loss == ()
    assert set(report.records) <= set(wanted(needs(guest).ftrace_events))
    assert found(guest) == before


@pytest.fixture
def without_instances(guest: Device) -> Iterator[Device]:
    """A kernel that cannot make trace instances, as far as anyone can see."""
    guest.script(f"mount -t tmpfs -o ro none {TRACING}/instances")
    try:
        yield guest
    finally:
        guest.script(f"umount {TRACING}/instances")


def test_the_only_buffer_is_used_and_put_back(without_instances: Device, tmp_path: Path) -> None:
    before = found(without_instances)
    raw, report = record(without_instances, tmp_path)
    assert found(without_instances) == before
    assert report.loss == ()
    assert report.void_reasons == ()
    assert report.records["vmscan/mm_vmscan_write_folio"] >= rise(raw, conventions.vmstat("pswpout")) > 1000


def test_the_only_buffer_is_not_taken_from_another(without_instances: Device, tmp_path: Path) -> None:
    without_instances.script(f"echo 1 > {TRACING}/events/sched/sched_process_exit/enable")
    before = found(without_instances)
    capture = Capture(without_instances, needs(without_instances), tmp_path)
    try:
        with pytest.raises(StateError, match=r"in use \(sched:sched_process_exit is enabled\)"):
            capture.start()
        assert found(without_instances) == before
    finally:
        without_instances.script(f"echo 0 > {TRACING}/events/sched/sched_process_exit/enable")
