"""Which zram a phone says that it runs, and what it may not show."""

from __future__ import annotations

import pytest

from foundation.contract.zram_identity import ModuleIdentity, ZramIdentity
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.zram_identity import read_engine, read_zram
from tests.stand_ins.device import FakeDevice
from tests.stand_ins.device.android import GOOGLE, QUALCOMM, SAMSUNG, Vendor, android_phone


@pytest.mark.parametrize(
    ("vendor", "names"),
    [
        (GOOGLE, {"zcomp_cpu", "zcomp_eh", "zram_gs", "zsmalloc"}),
        (SAMSUNG, {"vendor_zram", "zsmalloc"}),
        (QUALCOMM, {"zram", "zsmalloc"}),
    ],
)
def test_modules_of_each_vendor(adb: AdbServer, vendor: Vendor, names: set[str]) -> None:
    with android_phone(35, "userdebug", vendor, root=True) as phone:
        found = read_zram(AdbDevice(adb, adb.connect(phone.serial)))
        adb.disconnect(phone.serial)
    assert found.form == "module"
    assert set(found.modules) == names
    assert all(one.srcversion and one.build_id for one in found.modules.values())
    assert found.same_as(found) is True


def test_without_root_the_names_are_known_and_the_builds_are_not(adb: AdbServer) -> None:
    with android_phone(35) as phone:
        found = read_zram(AdbDevice(adb, adb.connect(phone.serial)))
        adb.disconnect(phone.serial)
    assert found.form == "module"
    assert set(found.modules.values()) == {ModuleIdentity()}
    assert found.same_as(found) is None


def test_a_zram_that_is_built_in(adb: AdbServer) -> None:
    with android_phone(30, "userdebug", root=True) as phone:
        assert read_zram(AdbDevice(adb, adb.connect(phone.serial))) == ZramIdentity("built in")
        phone.files.remove("/sys/block/zram0")
        assert read_zram(AdbDevice(adb, phone.serial)).form == "none"
        adb.disconnect(phone.serial)


def test_a_phone_that_does_not_list_its_modules(device: AdbDevice, fake: FakeDevice) -> None:
    fake.files.remove("/proc/modules")
    assert read_zram(device) == ZramIdentity("unknown")


def test_a_pixel_compresses_in_hardware_until_it_is_told_otherwise(adb: AdbServer) -> None:
    with android_phone(35, "userdebug", GOOGLE, root=True) as phone:
        device = AdbDevice(adb, adb.connect(phone.serial))
        assert "lz77eh (Emerald Hill" in str(read_engine(device))
        phone.zram.algorithm = "lz4"
        assert read_engine(device) is None
        phone.files.put("/sys/block/zram0/comp_mode", "swonly hybrid [kcompressd:hw]\n")
        assert "comp_mode kcompressd:hw" in str(read_engine(device))
        adb.disconnect(phone.serial)


def test_an_engine_that_the_shell_may_not_see(adb: AdbServer) -> None:
    with android_phone(35) as phone:
        assert read_engine(AdbDevice(adb, adb.connect(phone.serial))) is None
        adb.disconnect(phone.serial)
