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
from foundation.progress import Progress, silent
from harness.capture import Capture, assemble
from harness.capture.perfetto import perfetto_session
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.fake.suite_programs import SuitePrograms
from tests.stand_ins.device.android import android_phone
from tests.stand_ins.device.android.phone import Build
from tests.stand_ins.device.android.policy import TRACEFS
from tests.stand_ins.device.android.tracing import TracingService
from tests.stand_ins.device.programs import fixed
from tests.stand_ins.device.tree import Node
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
    adb: AdbServer,
    trace: bytes,
    api: int,
    build: Build = "user",
    *,
    root: bool = False,
    perfetto: str | None = None,
) -> Iterator[tuple[TracingService, AdbDevice]]:
    """A phone that records; on a userdebug build adbd is root."""
    with android_phone(api, build, root=root or build == "userdebug", perfetto=perfetto) as phone:
        SuitePrograms(phone)
        service = TracingService(phone, trace, own_clock=True)
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


def marked(
    device: AdbDevice, folder: Path, service: TracingService, progress: Progress = silent
) -> Capture:
    capture = Capture(device, NEEDS, folder, sleep=service.elapse, progress=progress)
    capture.start()
    device.script(capture.wrap("true"))
    return capture


@pytest.mark.parametrize("build", ["user", "userdebug"])
@pytest.mark.parametrize("api", [29, 30, 31, 33, 34, 35, 36])
def test_every_version_records(
    adb: AdbServer, trace: bytes, tmp_path: Path, api: int, build: Build
) -> None:
    with recording_phone(adb, trace, api, build) as (service, device):
        raw = marked(device, tmp_path, service).stop()
        assert left(service) == []
    report = assemble(raw, SWITCHES, tmp_path / "trace.perfetto-trace")
    assert (report.backend, report.loss) == ("perfetto", ())
    assert service.flush_ms == 30_000
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
    with recording_phone(adb, trace, 30, "user", root=True) as (service, device):
        raw = marked(device, tmp_path, service).stop()
    assert "sched/sched_waking" in raw.missing_events
    assert assemble(raw, SWITCHES, tmp_path / "t").void_reasons == ()


def test_an_event_that_fails_to_switch_on_voids(adb: AdbServer, trace: bytes, tmp_path: Path) -> None:
    with recording_phone(adb, trace, 34) as (service, device):
        service.refused = {"vmscan/mm_vmscan_kswapd_wake"}
        raw = marked(device, tmp_path, service).stop()
    assert assemble(raw, SWITCHES, tmp_path / "t").void_reasons == (
        "the ftrace event vmscan/mm_vmscan_kswapd_wake could not be enabled",
    )


#: What each Android may have, and quarterly releases of its last ones.
QUARTERLY = [(36, "Perfetto v54.0 (N/A)"), (36, "Perfetto v56.0 (N/A)"), (36, "Perfetto v58.0 (N/A)")]


@pytest.mark.parametrize(("api", "perfetto"), QUARTERLY)
def test_a_quarterly_release_flushes_as_seldom(
    adb: AdbServer, trace: bytes, tmp_path: Path, api: int, perfetto: str
) -> None:
    with recording_phone(adb, trace, api, perfetto=perfetto) as (service, device):
        raw = marked(device, tmp_path, service).stop()
        assert service.flush_ms == 30_000
    assert assemble(raw, SWITCHES, tmp_path / "t").loss == ()


@pytest.mark.parametrize(("api", "refused"), [(29, ""), (31, "snapshot_interval_ms"), (36, "")])
def test_statistics_older_than_the_window_void(
    adb: AdbServer, trace: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: int, refused: str
) -> None:
    """A recording that stops with its window has none of its own; `stop` waits for them."""
    with recording_phone(adb, trace, api) as (service, device):
        service.unknown_fields = {refused} - {""}
        whole = marked(device, tmp_path / "whole", service).stop()
        monkeypatch.setattr(perfetto_session, "snapshot_wait_s", lambda fields: 0.0)
        short = marked(device, tmp_path / "short", service).stop()
    assert assemble(whole, SWITCHES, tmp_path / "w").loss == ()
    (loss,) = assemble(short, SWITCHES, tmp_path / "s").loss
    assert "last statistics were taken" in loss.text


@pytest.mark.parametrize("says_why", [True, False])
@pytest.mark.parametrize(
    ("api", "unknown"),
    [(31, {"snapshot_interval_ms"}), (36, {"psi_period_ms", "compact_sched"})],
)
def test_fields_that_a_service_refuses_are_left_out(
    adb: AdbServer, trace: bytes, tmp_path: Path, api: int, unknown: set[str], says_why: bool
) -> None:
    said: list[str] = []
    with recording_phone(adb, trace, api) as (service, device):
        service.unknown_fields, service.says_why = unknown, says_why
        raw = marked(device, tmp_path, service, said.append).stop()
        (config,) = service.configs
        assert left(service) == []
    assert ("psi_period_ms" not in str(config)) == (api < 35 or "psi_period_ms" in unknown)
    assert assemble(raw, SWITCHES, tmp_path / "t").void_reasons == ()
    lines = [line for line in said if line.startswith("perfetto refuses")]
    assert len(lines) == (len(unknown) if says_why else 1)
    assert all(field in "".join(lines) for field in unknown)


def test_a_config_that_is_refused_whatever_is_left_out(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    with recording_phone(adb, trace, 34) as (service, device):
        service.unknown_fields = {"duration_ms"}
        with pytest.raises(DeviceError, match='No field named "duration_ms"'):
            Capture(device, NEEDS, tmp_path).start()
        assert left(service) == []


def test_the_memory_that_traced_probes_writes_to_is_asked_for(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    with recording_phone(adb, trace, 34) as (service, device):
        marked(device, tmp_path, service).stop()
        (config,) = service.configs
    (producer,) = config.producers
    assert (producer.producer_name, producer.shm_size_kb) == ("perfetto.traced_probes", 4096)


@pytest.mark.parametrize("value", ["0", "2"])
@pytest.mark.parametrize("api", [29, 33, 36])
def test_a_service_that_is_off_is_switched_on_and_off_again(
    adb: AdbServer, trace: bytes, tmp_path: Path, api: int, value: str
) -> None:
    said: list[str] = []
    with recording_phone(adb, trace, api) as (service, device):
        properties = service.phone.properties
        before = {"init.svc.traced": "stopped", "persist.traced.enable": value}
        properties |= before
        raw = marked(device, tmp_path, service, said.append).stop()
        assert raw.troubles == ()
        assert {name: properties[name] for name in before} == before
    assert said[0].startswith("tracing is off on the phone: switching it on")


@pytest.mark.parametrize("api", [29, 36])
def test_a_service_that_may_not_be_switched_on(
    adb: AdbServer, trace: bytes, tmp_path: Path, api: int
) -> None:
    with recording_phone(adb, trace, api) as (service, device):
        service.locked = True
        service.phone.properties |= {"init.svc.traced": "stopped", "persist.traced.enable": "0"}
        with pytest.raises(DeviceError, match=r"tracing is off on the phone .*may not switch it on"):
            Capture(device, NEEDS, tmp_path).start()
        assert left(service) == []


def test_traced_probes_that_another_user_of_atrace_has_stopped(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    with recording_phone(adb, trace, 34) as (service, device):
        service.phone.properties["init.svc.traced_probes"] = "stopped"
        with pytest.raises(DeviceError, match=r"traced_probes stopped although.*atrace"):
            Capture(device, NEEDS, tmp_path).start()


def test_what_a_pixel_says_of_kswapd_is_recorded_where_it_is_open(
    adb: AdbServer, trace: bytes, tmp_path: Path
) -> None:
    event = "pixel_mm/pixel_mm_kswapd_done"
    with recording_phone(adb, trace, 34, "userdebug") as (service, device):
        service.phone.files.put(f"{TRACEFS}/events/{event}/enable", Node(b"0\n", 0o666))
        raw = marked(device, tmp_path, service).stop()
    assert event in raw.events
    assert not any("pixel_mm" in missing for missing in raw.missing_events)


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
        marked(device, tmp_path, service).stop()
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
        capture = Capture(device, NEEDS, tmp_path, progress=said.append, sleep=service.elapse)
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
        capture = Capture(device, NEEDS, tmp_path, progress=said.append, sleep=service.elapse)
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
