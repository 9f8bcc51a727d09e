"""The zram modules of a phone's running kernel, exchanged for a block and put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import LabError, ModuleLoadFailed, StateError, SuiteError, UsageError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.identity import prove, read_identity
from harness.device.lab import NO_LAB, load_lab
from harness.device.lane_phone import PhoneLane, open_phone
from harness.device.modules.fit import OwnModules
from harness.device.preconditions.pinned import left_behind, undo_left
from harness.device.preconditions.zram_modules import modules_pin
from harness.variants.variant import Variant
from tests.stand_ins.device import FakeDevice
from tests.stand_ins.device.module_model import FOLDER, ModuleModel, pair
from tests.variants import boot_into, phone_variant

OWN = phone_variant("baseline=module:own")
LAB = """
[[device]]
serial = "{serial}"
model = "Fake"
build = "fake/fake/fake:15/A/1:userdebug/dev-keys"
allow = [{allow}]
"""


@pytest.fixture
def modules(fake: FakeDevice) -> ModuleModel:
    fake.properties["ro.build.fingerprint"] = "fake/fake/fake:15/A/1:userdebug/dev-keys"
    fake.zram.setup(size_mb=256, algorithm="lz4", priority=32758)
    return ModuleModel(fake)


@pytest.fixture
def lane(adb: AdbServer, modules: ModuleModel, tmp_path: Path) -> Iterator[PhoneLane]:
    adb.connect(modules.phone.serial)
    lab = lab_that_allows('"load-module"', modules.phone, tmp_path)
    opened = open_phone(
        "phone-0", serial=modules.phone.serial, adb_port=adb.port, lab=load_lab(lab), modules=True
    )
    yield opened
    opened.close()


def lab_that_allows(words: str, phone: FakeDevice, folder: Path) -> Path:
    path = folder / "lab.toml"
    path.write_text(LAB.format(serial=phone.serial, allow=words))
    return path


def patched(folder: Path, files: tuple[bytes, bytes], options: str = "") -> Variant:
    for name, content in zip(("zsmalloc.ko", "zram.ko"), files, strict=True):
        (folder / name).write_bytes(content)
    variant = phone_variant(f"patched=module:zsmalloc={folder}/zsmalloc.ko,zram={folder}/zram.ko{options}")
    variant.check()
    return variant


def is_as_found(modules: ModuleModel) -> bool:
    """Its own pair, and its swap as an init script made it."""
    zram = modules.phone.zram
    swap = (zram.disksize >> 20, zram.algorithm, zram.swap_priority)
    return modules.builds == f"{1:024X}" and swap == (256, "lz4", 32758)


def test_modules_follow_the_variant_and_swap_stays(
    lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    variant = patched(tmp_path, pair(2))
    device = boot_into(lane, variant)
    wanted = variant.expectation(lane)
    prove(read_identity(device, wanted), wanted)
    assert wanted.build_ids == {"zsmalloc": (b"\2\1" * 10).hex(), "zram": (b"\2\2" * 10).hex()}
    assert wanted.parameters["/sys/module/zram/srcversion"] == f"{2:024X}"
    zram = modules.phone.zram
    assert (zram.disksize >> 20, zram.algorithm, zram.swap_priority) == (256, "lz4", 32758)
    loads = len(modules.loads)
    boot_into(lane, OWN)
    assert is_as_found(modules)
    assert modules.loads[loads:] == [*modules.paths] * 2, "put back, and then loaded again for the block"
    lane.close()
    assert is_as_found(modules)
    assert modules.phone.boots == 1
    assert not modules.phone.files.glob("/data/local/tmp/*.ko")


def test_a_module_of_another_name_is_the_vendors(
    adb: AdbServer, fake: FakeDevice, modules: ModuleModel, lane: PhoneLane, tmp_path: Path
) -> None:
    for name in ("zram", "zsmalloc"):
        fake.files.remove(f"/sys/module/{name}")
    vendors = ModuleModel(fake, zram_name="vendor_zram")
    fake.files.remove(f"{FOLDER}/drivers/block/zram/zram.ko")
    boot_into(lane, patched(tmp_path, pair(2)))
    assert fake.files.read("/sys/module/zram/srcversion").decode().strip() == f"{2:024X}"
    assert not fake.files.exists("/sys/module/vendor_zram")
    lane.close()
    assert vendors.builds == f"{1:024X}"


@pytest.mark.parametrize(
    ("number", "line", "step"),
    [
        (13, "zram: exports protected symbol zs_malloc", "only modules signed with this kernel's key"),
        (13, "zram: Unknown symbol sched_clock (err -13)", "keep to the symbol list of the KMI"),
        (8, "zram: disagrees about version of symbol module_layout", "branch and KMI generation"),
    ],
)
def test_a_refused_module_is_a_result_and_the_own_pair_is_back_at_once(
    number: int, line: str, step: str, lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    modules.refuse_load["zram"] = (number, line)
    with pytest.raises(ModuleLoadFailed) as caught:
        boot_into(lane, patched(tmp_path, pair(2)))
    assert line in str(caught.value)
    assert step in str(caught.value)
    assert line in caught.value.log
    assert is_as_found(modules)
    assert not left_behind(modules.phone.serial)


def built_in(modules: ModuleModel) -> None:
    modules.phone.files.put("/proc/modules", "")


def without_unload(modules: ModuleModel) -> None:
    modules.can_unload = False


def held(modules: ModuleModel) -> None:
    modules.held_by = ["zcomp_eh"]


def mounted(modules: ModuleModel) -> None:
    modules.phone.files.put("/proc/mounts", "/dev/block/zram1 /mnt/zram ext4 rw 0 0\n")


def not_below(modules: ModuleModel) -> None:
    modules.phone.files.put(modules.paths[1], pair(7)[1])


def enforced(modules: ModuleModel) -> None:
    modules.phone.files.put("/sys/module/module/parameters/sig_enforce", "Y\n")


def disabled(modules: ModuleModel) -> None:
    modules.phone.files.put("/proc/sys/kernel/modules_disabled", "1\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (built_in, "zsmalloc is built into this kernel"),
        (without_unload, "this kernel cannot unload modules"),
        (held, "zcomp_eh use zram"),
        (mounted, "zram1 is mounted at /mnt/zram"),
        (not_below, "zram.ko is another build"),
        (enforced, "signed modules only"),
        (disabled, "kernel.modules_disabled is 1"),
    ],
)
def test_a_phone_that_cannot_is_refused_in_one_line_before_anything_is_touched(
    make: object, said: str, lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    assert callable(make)
    make(modules)
    modules.phone.files.put("/sys/module/zsmalloc/srcversion", f"{1:024X}\n")
    with pytest.raises(StateError) as caught:
        boot_into(lane, patched(tmp_path, pair(2)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not modules.loads
    assert modules.phone.zram.swap_priority == 32758


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"machine": 62}, "it is for x86_64, the phone's zram.ko for aarch64"),
        ({"checksums": {"module_layout": 1}}, "built against another module_layout"),
        ({"depends": "zsmalloc,lz77_hw"}, "needs lz77_hw, which this device has not loaded"),
    ],
)
def test_files_that_do_not_fit_are_refused_before_anything_is_touched(
    changes: dict[str, Any], said: str, lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        boot_into(lane, patched(tmp_path, pair(2, **changes)))
    assert not modules.loads
    assert is_as_found(modules)


def test_the_release_may_differ_where_checksums_decide(
    lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    """A GKI kernel keeps its interface over releases. Source: same_magic of kernel/module/version.c."""
    zsmalloc, zram = (each.replace(b"6.1.75-android14-11", b"6.1.99-android14-11") for each in pair(2))
    boot_into(lane, patched(tmp_path, (zsmalloc, zram)))
    assert modules.builds == f"{2:024X}"


def test_what_has_zram_open_is_reported_and_swap_is_on_again(
    lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    modules.opened = 1
    with pytest.raises(StateError, match="zram cannot be unloaded: something holds it"):
        boot_into(lane, patched(tmp_path, pair(2)))
    assert not modules.loads
    assert is_as_found(modules)


def test_a_cable_lost_between_the_modules_is_mended_by_the_next_run(
    adb: AdbServer, lane: PhoneLane, modules: ModuleModel, tmp_path: Path
) -> None:
    phone = modules.phone
    phone.faults.drop_at, phone.faults.drop_service = "exit", "insmod"
    with pytest.raises(SuiteError):
        boot_into(lane, patched(tmp_path, pair(2)))
    undo_left(boot_into(lane, OWN))
    assert modules.builds == f"{1:024X}"
    lane.close()
    assert is_as_found(modules)
    assert not left_behind(phone.serial)


def test_without_root_there_is_nothing_to_exchange(adb: AdbServer, modules: ModuleModel) -> None:
    modules.phone.root = False
    device = AdbDevice(adb, adb.connect(modules.phone.serial))
    with pytest.raises(StateError, match="the shell is not root"):
        modules_pin(device, OwnModules())
    assert not modules.loads


def test_the_lab_file_must_allow_it(adb: AdbServer, modules: ModuleModel, tmp_path: Path) -> None:
    adb.connect(modules.phone.serial)
    path = lab_that_allows('"reboot"', modules.phone, tmp_path)
    for lab in (NO_LAB, load_lab(path)):
        with pytest.raises(LabError, match="load-module is not allowed"):
            open_phone("phone-0", serial=modules.phone.serial, adb_port=adb.port, lab=lab, modules=True)
