"""Recording on phones of Android 10 to 16, user builds and rooted ones: what each takes and hides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundation.contract.needs import Needs
from foundation.contract.packets import read_packets
from foundation.errors import CommandTimeout, DeviceError, StateError
from harness.capture import Capture, assemble
from harness.capture.perfetto import perfetto_session
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.fake.suite_programs import SuitePrograms
from tests.stand_ins.device.android import android_phone
from tests.stand_ins.device.android.phone import Build
from tests.stand_ins.device.android.tracing import TracingService
from tests.stand_ins.device.programs import fixed
from tests.unit.capture.capture_raw import SWITCHES, service_trace

NEEDS = Needs(
    ftrace_events=frozenset(
        {
            "sched/sched_switch",
            "sched/sched_waking",
            "vmscan/mm_vmscan_kswapd_wake",
            "vmscan/mm_vmscan_lru_shrink_inactive",
            "vmscan/of_tomorrow",
        }
    )
)
TRACES = "/data/misc/perfetto-traces"


@contextmanager
def recording_phone(
    adb: AdbServer, trace: bytes, api: int, build: Build = "user", *, root: bool = False
) -> Iterator[tuple[TracingService, AdbDevice]]:
    """A phone that records; on a userdebug build adbd is root."""
    with android_phone(api, build, root=root or build == "userdebug") as phone:
        SuitePrograms(phone)
        service = TracingService(phone, trace)
        yield service, AdbDevice(adb, adb.connect(phone.serial))
        adb.disconnect(phone.serial)


@pytest.fixture
def trace(tmp_path: Path) -> bytes:
    service_trace(tmp_path / "trace")
    return (tmp_path / "trace").read_bytes()


def left(service: TracingService) -> list[str]:
    """What is left on the phone. A command's process ends a moment after its stream."""
    files = service.phone.files
    for _ in range(100):
        if not service.phone.processes.pids:
            break
        time.sleep(0.02)
    names = [*files.listing("/data/local/tmp"), *files.listing(TRACES), *map(str, service.recordings)]
    return [*names, *map(str, service.phone.processes.pids)]


def marked(device: AdbDevice, folder: Path) -> Capture:
    capture = Capture(device, NEEDS, folder, sleep=lambda seconds: None)
    capture.start()
    device.script(capture.wrap("true"))
    return capture


@pytest.mark.parametrize("build", ["user", "userdebug"])
@pytest.mark.parametrize("api", [29, 30, 31, 33, 34, 35, 36])
def test_every_version_records(
    adb: AdbServer, trace: bytes, tmp_path: Path, api: int, build: Build
) -> None:
    with recording_phone(adb, trace, api, build) as (service, device):
        raw = marked(device, tmp_path).stop()
        assert left(service) == []
    report = assemble(raw, SWITCHES, tmp_path / "trace.perfetto-trace")
    assert (report.backend, report.loss) == ("perfetto", ())
    assert "vmscan/of_tomorrow" in raw.missing_events
    assert service.polled == {"vmstat", "meminfo", *(["psi"] if api >= 35 else [])}
    assert service.argvs[0][-1] == ("--background-wait" if api >= 33 else "--background")
    # Closed by its mode on both, and sched_waking by its label: known beforehand, so no reason to void.
    assert "vmscan/mm_vmscan_lru_shrink_inactive" in raw.missing_events
    assert ("sched/sched_waking" in raw.missing_events) == (build == "user" and api < 31)
    assert report.void_reasons == ()


def test_a_rooted_user_build_closes_what_a_user_build_closes(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    """Root can switch an event on that the service cannot: its policy is that of the build."""
    with recording_phone(adb, trace, 30, "user", root=True) as (_, device):
        raw = marked(device, tmp_path).stop()
    assert "sched/sched_waking" in raw.missing_events
    assert assemble(raw, SWITCHES, tmp_path / "t").void_reasons == ()


def test_an_event_that_fails_to_switch_on_voids(adb: AdbServer, trace: bytes, tmp_path: Path) -> None:
    with recording_phone(adb, trace, 34) as (service, device):
        service.refused = {"vmscan/mm_vmscan_kswapd_wake"}
        raw = marked(device, tmp_path).stop()
    assert assemble(raw, SWITCHES, tmp_path / "t").void_reasons == (
        "the ftrace event vmscan/mm_vmscan_kswapd_wake could not be enabled",
    )


def test_a_service_that_is_off_is_switched_on_and_off_again(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    with recording_phone(adb, trace, 29) as (service, device):
        properties = service.phone.properties
        properties |= {"init.svc.traced": "stopped", "persist.traced.enable": "0"}
        raw = marked(device, tmp_path).stop()
        assert raw.troubles == ()
        assert (properties["persist.traced.enable"], properties["init.svc.traced"]) == ("0", "stopped")


def test_a_service_that_never_records(
    adb: AdbServer, trace: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perfetto_session, "RECORDS_DEADLINE_S", 0.3)
    with recording_phone(adb, trace, 31) as (service, device):
        service.phone.files.put("/sys/kernel/tracing/tracing_on", "0\n")
        with pytest.raises(CommandTimeout, match="did not start recording"):
            Capture(device, NEEDS, tmp_path).start()
        assert left(service) == []


def test_no_room_on_the_phone(adb: AdbServer, trace: bytes, tmp_path: Path) -> None:
    with recording_phone(adb, trace, 34) as (service, device):
        service.free_kb = 700 * 1024
        with pytest.raises(StateError, match="/data has 700 MiB free, a recording needs 768 MiB"):
            Capture(device, NEEDS, tmp_path).start()
        assert left(service) == []
        service.free_kb = 2000 * 1024
        marked(device, tmp_path).stop()
        (config,) = service.configs
        assert config.max_file_size_bytes == (2000 - 512) << 20


def test_a_large_trace_is_told_and_pulled_again_after_the_cable(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    (tmp_path / "trace").write_bytes(trace)
    body = next(iter(read_packets(tmp_path / "trace"))).SerializeToString()
    filler = b"\x0a" + _varint(len(body)) + body
    said: list[str] = []
    with recording_phone(adb, trace, 34) as (service, device):
        service.trace = filler * ((80 << 20) // len(filler)) + trace
        capture = Capture(device, NEEDS, tmp_path, progress=said.append, sleep=lambda seconds: None)
        capture.start()
        device.script(capture.wrap("true"))
        service.phone.faults.drop_in_pull_after = 30 << 20
        raw = capture.stop()
        assert (raw.folder / "perfetto.trace").stat().st_size == len(service.trace)
    assert "the device was lost while the trace was pulled; pulling it again" in said
    assert [line for line in said if line.endswith("MiB")][-1].startswith("pulling the trace: ")


def test_a_trace_that_stays_damaged(adb: AdbServer, trace: bytes, tmp_path: Path) -> None:
    said: list[str] = []
    with recording_phone(adb, trace, 34) as (service, device):
        capture = Capture(device, NEEDS, tmp_path, progress=said.append, sleep=lambda seconds: None)
        capture.start()
        device.script(capture.wrap("true"))
        service.phone.programs["sha256sum"] = fixed(lambda: "00" * 32 + "  x\n")
        with pytest.raises(DeviceError, match="damaged on its way"):
            capture.stop()
        assert left(service) == []
    assert len(said) == 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
