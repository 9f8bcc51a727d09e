"""A phone's lane: switches put in and out, refusals, restarts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import DeviceError, LabError, StateError, UsageError, WrongKernel
from foundation.ports import free_port
from harness.device import attach, lane_phone
from harness.device.adb.adb_server import AdbServer
from harness.device.identity import prove, read_identity
from harness.device.lab import load_lab
from harness.device.lane_phone import PhoneLane, open_phone
from tests.stand_ins.bootloader.images import FakeKernel, boot_image
from tests.stand_ins.device import FakeDevice, number
from tests.stand_ins.device.android import CUTTLEFISH, EMULATOR, Vendor, android_phone
from tests.variants import boot_into, phone_variant

_KCOMPRESSD = "/proc/sys/vm/kcompressd"
_PARAMETER = "/sys/module/kcompressd/parameters/kcompressd_enabled"

_OFF = phone_variant("off=sysctl:vm.kcompressd=0")
_ON = phone_variant("on=sysctl:vm.kcompressd=24")


@pytest.fixture
def phone(fake: FakeDevice) -> FakeDevice:
    fake.files.put(_KCOMPRESSD, number(24, 0, 256))
    fake.files.put(_PARAMETER, "Y\n")
    return fake


@pytest.fixture
def lane(adb: AdbServer, phone: FakeDevice) -> Iterator[PhoneLane]:
    adb.connect(phone.serial)
    opened = open_phone("phone-0", serial=phone.serial, adb_port=adb.port)
    yield opened
    opened.close()


def _value(phone: FakeDevice) -> str:
    return phone.files.read(_KCOMPRESSD).decode().strip()


def test_switches_follow_the_variant(lane: PhoneLane, phone: FakeDevice) -> None:
    device = boot_into(lane, _OFF)
    assert _value(phone) == "0"
    wanted = _OFF.expectation(lane)
    prove(read_identity(device, wanted), wanted)
    with pytest.raises(WrongKernel, match="vm/kcompressd is 0, expected 24"):
        prove(read_identity(device, _ON.expectation(lane)), _ON.expectation(lane))
    boot_into(lane, phone_variant("as=as-is"))
    assert _value(phone) == "24"
    boot_into(lane, _OFF)
    lane.close()
    lane.close()
    assert _value(phone) == "24"
    assert phone.boots == 1


def test_parameters(lane: PhoneLane, phone: FakeDevice) -> None:
    boot_into(lane, phone_variant(f"off=param:{_PARAMETER}=N"))
    assert phone.files.read(_PARAMETER) == b"N"
    boot_into(lane, phone_variant("as=as-is"))
    assert phone.files.read(_PARAMETER) == b"Y"


def test_switch_that_is_refused(lane: PhoneLane, phone: FakeDevice) -> None:
    with pytest.raises(StateError, match=r"vm\.swappiness: '999' was refused: .*Invalid argument"):
        boot_into(lane, phone_variant("wild=sysctl:vm.swappiness=999"))
    assert _value(phone) == "24"


def test_a_refused_variant_leaves_the_one_before(
    lane: PhoneLane, phone: FakeDevice, tmp_path: Path
) -> None:
    image = tmp_path / "boot.img"
    image.write_bytes(boot_image(FakeKernel("6.6.30-one")))
    boot_into(lane, _OFF)
    with pytest.raises(UsageError, match="opened without kernels"):
        boot_into(lane, phone_variant(f"booted=boot:image={image}"))
    assert _value(phone) == "0"


def test_reboot_between_blocks_only_when_asked(adb: AdbServer, phone: FakeDevice) -> None:
    adb.connect(phone.serial)
    lane = open_phone("phone-0", serial=phone.serial, adb_port=adb.port, reboot_between=True)
    boot_into(lane, _OFF)
    assert phone.boots == 1
    boot_into(lane, _OFF)
    assert phone.boots == 2
    assert _value(phone) == "0"
    assert lane.crash_log() is None
    lane.close()


def test_crash_is_a_restart_that_nobody_asked_for(lane: PhoneLane, phone: FakeDevice) -> None:
    boot_into(lane, _ON)
    assert lane.crash_log() is None
    phone.files.put("/sys/fs/pstore/console-ramoops-0", "[  99.1] Kernel panic - not syncing: oops\n")
    phone.properties["sys.boot.reason"] = "kernel_panic,sysrq"
    phone.restart(down_s=0.3)
    log = lane.crash_log()
    assert log is not None
    assert "rebooted by itself; reason: kernel_panic,sysrq" in log
    assert "Kernel panic - not syncing" in log


def test_restart_by_a_person_is_no_crash(lane: PhoneLane, phone: FakeDevice) -> None:
    boot_into(lane, _ON)
    phone.properties["sys.boot.reason"] = "reboot,userrequested"
    phone.restart(down_s=0.3)
    assert lane.crash_log() is None


def test_crash_in_the_log_since_boot_only(lane: PhoneLane, phone: FakeDevice) -> None:
    old = "[   50.000000] BUG: unable to handle page fault for address: 0\n"
    phone.kernel_log += old
    boot_into(lane, _ON)
    assert lane.crash_log() is None
    assert lane.console() == ""
    phone.kernel_log += "[  120.5] watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [kswapd0:61]\n"
    log = lane.crash_log()
    assert log is not None
    assert "soft lockup" in log
    assert old.strip() not in log


def test_log_that_may_not_be_read(lane: PhoneLane, phone: FakeDevice) -> None:
    boot_into(lane, _ON)
    phone.faults.exit_status["dmesg"] = 1
    assert lane.console() == ""
    assert lane.crash_log() is None


def test_facts(lane: PhoneLane, phone: FakeDevice) -> None:
    facts = lane.describe()
    assert facts["serial"] == phone.serial
    assert (facts["model"], facts["kernel"], facts["cpus"]) == ("Fake", phone.release, "0-7")
    assert facts["memory"] == "8000000 kB"
    assert facts["battery_percent"] == "unknown"
    assert facts["root"] == "yes"
    assert lane.device_cpu_s() is None
    assert not lane.emulated


def test_network_phone_gets_a_server_of_its_own(phone: FakeDevice) -> None:
    lane = open_phone("phone-0", serial=phone.serial)
    assert boot_into(lane, _OFF).serial == phone.serial
    lane.close()
    assert _value(phone) == "24"


def test_open_without_a_phone(adb: AdbServer) -> None:
    with pytest.raises(LabError, match="sees no device nowhere"):
        open_phone("phone-0", serial="nowhere", adb_port=adb.port)
    assert adb.alive


def test_restarts_that_the_lab_does_not_allow(adb: AdbServer, phone: FakeDevice, tmp_path: Path) -> None:
    adb.connect(phone.serial)
    phone.properties["ro.build.fingerprint"] = "a/b/c:14/x/1:user/release-keys"
    path = tmp_path / "lab.toml"
    entry = f'[[device]]\nserial = "{phone.serial}"\nmodel = "Fake"\nbuild = "a/b/c:14/*"\nrole = "desk"\n'
    path.write_text(entry)
    with pytest.raises(LabError, match=r"reboot is not allowed: .* allows nothing for this device"):
        open_phone("phone-0", role="desk", lab=load_lab(path), adb_port=adb.port, reboot_between=True)
    path.write_text(entry + 'allow = ["reboot"]\n')
    lane = open_phone("phone-0", role="desk", lab=load_lab(path), adb_port=adb.port, reboot_between=True)
    assert lane.describe()["serial"] == phone.serial
    lane.close()
    assert adb.alive


def test_su_reaches_the_device(adb: AdbServer) -> None:
    with FakeDevice(root=False, su="magisk") as rooted:
        rooted.files.put(_KCOMPRESSD, number(24, 0, 256))
        adb.connect(rooted.serial)
        lane = open_phone("phone-0", serial=rooted.serial, adb_port=adb.port, su=True)
        boot_into(lane, _OFF)
        assert _value(rooted) == "0"
        lane.close()
        assert _value(rooted) == "24"
        adb.disconnect(rooted.serial)


@pytest.fixture
def rooted(adb: AdbServer) -> Iterator[FakeDevice]:
    """A userdebug phone after ``adb root``."""
    with FakeDevice(root=True, adb_root=True) as made:
        made.files.put(_KCOMPRESSD, number(24, 0, 256))
        adb.connect(made.serial)
        yield made
        adb.disconnect(made.serial)


def test_root_that_a_restart_took_is_asked_for_again(adb: AdbServer, rooted: FakeDevice) -> None:
    lane = open_phone("phone-0", serial=rooted.serial, adb_port=adb.port, reboot_between=True)
    boot_into(lane, _OFF)
    device = boot_into(lane, _ON)
    assert rooted.boots == 2
    assert device.is_root
    assert _value(rooted) == "24"
    assert rooted.commands.count("root:") == 1
    lane.close()


def test_root_that_was_not_there_is_not_asked_for(adb: AdbServer, rooted: FakeDevice) -> None:
    rooted.root = False
    lane = open_phone("phone-0", serial=rooted.serial, adb_port=adb.port, reboot_between=True)
    boot_into(lane, phone_variant("as=as-is"))
    assert not boot_into(lane, phone_variant("as=as-is")).is_root
    assert rooted.boots == 2
    assert "root:" not in rooted.commands
    lane.close()


def test_root_that_does_not_come_back_is_reported_with_what_adbd_says(
    adb: AdbServer, rooted: FakeDevice
) -> None:
    lane = open_phone("phone-0", serial=rooted.serial, adb_port=adb.port, reboot_between=True)
    boot_into(lane, _OFF)
    rooted.refuses_root = "ADB Root access is disabled by system setting"
    with pytest.raises(DeviceError, match=r"not root after the restart: .* disabled by system setting"):
        boot_into(lane, _ON)
    rooted.refuses_root = None
    lane.close()


def test_a_phone_on_the_network_is_refused_before_it_is_changed(
    adb: AdbServer, phone: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    adb.connect(phone.serial)
    monkeypatch.setattr(lane_phone, "over_network", lambda serial: True)
    for serial in (None, phone.serial):
        with pytest.raises(UsageError, match=r"ends when the phone restarts, so --reboot-between"):
            open_phone("phone-0", serial=serial, adb_port=adb.port, reboot_between=True)
    assert phone.boots == 1


@pytest.mark.parametrize(
    ("vendor", "name"), [(EMULATOR, "the Android emulator"), (CUTTLEFISH, "Cuttlefish")]
)
@pytest.mark.parametrize("api", [29, 36])
def test_an_emulator_is_no_phone(adb: AdbServer, vendor: Vendor, name: str, api: int) -> None:
    with android_phone(api, "userdebug", vendor) as made:
        adb.connect(made.serial)
        lane = open_phone("phone-0", serial=made.serial, adb_port=adb.port)
        assert lane.emulated
        assert lane.describe()["emulator"] == name
        lane.close()
        adb.disconnect(made.serial)


def test_an_emulator_is_found_by_its_own_serial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: packages/modules/adb/client/transport_local.cpp, the ports 5555 to 5585."""
    monkeypatch.setattr(attach, "DEFAULT_PORT", free_port())
    with FakeDevice(port=free_emulator_port()) as made:
        console = int(made.serial.rpartition(":")[2]) - 1
        lane = open_phone("phone-0", serial=f"emulator-{console}")
        assert boot_into(lane, phone_variant("as=as-is")).serial == f"emulator-{console}"
        lane.close()


def free_emulator_port() -> int:
    for port in range(5585, 5555, -2):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port of an emulator is in use")
