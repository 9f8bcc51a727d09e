"""Kernels that are started from memory, and what may fail on the way."""

from __future__ import annotations

import pytest

from foundation.errors import (
    BootFailed,
    CommandFailed,
    DeviceLost,
    LabError,
    StateError,
    UsageError,
    WrongKernel,
)
from harness.device.fastboot import boot_locator, pending_restore, phone_kernels
from harness.device.identity import prove, read_identity
from tests.fake.phone_kernels.bench import FOUND, ONE, TWO, Bench
from tests.stand_ins.bootloader.images import FakeKernel, Fate
from tests.stand_ins.bootloader.phone import OWN, PANIC, FlashablePhone
from tests.variants import boot_into


def test_two_kernels_from_memory_and_the_one_found(bench: Bench, phone: FlashablePhone) -> None:
    one, two = bench.ram("one", ONE), bench.ram("two", TWO)
    lane = bench.open(FOUND, one, two)
    assert [bench.proved(lane, variant) for variant in (one, two, FOUND, FOUND, one)] == [
        ONE.release,
        TWO.release,
        OWN.release,
        OWN.release,
        ONE.release,
    ]
    assert bench.proved(lane, one) == ONE.release, "the same kernel again is another boot"
    assert phone.changes.count(f"android:a:{ONE.release}") == 3
    assert bench.said[0].startswith("Sending 'boot.img'")
    lane.close()
    lane.close()
    assert phone.kernel == OWN
    assert bench.writes == []
    assert pending_restore.load(phone.bootloader.serial) is None


def test_a_block_after_a_kernel_is_root_again(bench: Bench, phone: FlashablePhone) -> None:
    phone.android.adb_root = True
    one = bench.ram("one", ONE)
    lane = bench.open(FOUND, one)
    for variant in (FOUND, one, FOUND):
        assert boot_into(lane, variant).is_root


def test_the_build_id_proves_a_kernel_of_the_same_name(bench: Bench, phone: FlashablePhone) -> None:
    rebuilt = FakeKernel(OWN.release, OWN.version, build_id="33" * 20)
    variant = bench.ram("rebuilt", rebuilt)
    lane = bench.open(FOUND, variant)
    assert bench.proved(lane, variant) == OWN.release
    phone.android.files.put("/sys/kernel/notes", ONE.note)
    wanted = variant.expectation(lane)
    identity = read_identity(bench.device, wanted)
    with pytest.raises(WrongKernel, match=f"build id of vmlinux is {ONE.build_id}"):
        prove(identity, wanted)


def test_without_a_build_id_to_read_release_and_version_prove(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    boot_into(lane, variant)
    phone.android.files.remove("/sys/kernel/notes")
    wanted = variant.expectation(lane)
    assert (wanted.release, wanted.version, dict(wanted.build_ids)) == (ONE.release, ONE.version, {})
    prove(read_identity(bench.device, wanted), wanted)


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        ("panics", "it is back on its original kernel"),
        ("to-bootloader", "it is back in its bootloader"),
        ("no-android", "its kernel came up, but Android did not start within 1.5 s"),
    ],
)
def test_a_kernel_that_does_not_come_up_is_a_result(
    bench: Bench, phone: FlashablePhone, fate: Fate, words: str
) -> None:
    variant = bench.ram("broken", FakeKernel("6.6.30-broken", fate=fate))
    lane = bench.open(FOUND, variant, boot_s=1.5)
    with pytest.raises(BootFailed, match=f"'broken' was booted from memory, but {words}") as caught:
        boot_into(lane, variant)
    assert phone.kernel == OWN, "it is rolled back"
    log = caught.value.log
    assert f"fastboot -s {phone.bootloader.address} boot {bench.folder}/broken.img" in log
    if fate == "panics":
        assert PANIC in log
        assert "reason of the reboot: kernel_panic" in log
        assert phone.android.boots == 2, "one restart more, and its words would be gone"
    if fate == "no-android":
        assert log.count("Linux version 6.6.30-broken") == 2, "while it ran, and what it left"
    assert lane.crash_log() is None, "the phone is not that kernel any more"
    assert bench.proved(lane, FOUND) == OWN.release


def test_a_kernel_whose_log_may_not_be_read_is_rolled_back_all_the_same(
    bench: Bench, phone: FlashablePhone
) -> None:
    variant = bench.ram("broken", FakeKernel("6.6.30-broken", fate="no-android"))
    lane = bench.open(FOUND, variant, boot_s=1.0)
    phone.android.faults.exit_status["dmesg"] = 1
    with pytest.raises(BootFailed, match="Android did not start") as caught:
        boot_into(lane, variant)
    assert "(could not be read: 'dmesg' ended with exit status 1" in caught.value.log
    assert phone.kernel == OWN


def test_a_kernel_that_hangs_takes_the_phone_with_it(
    bench: Bench, phone: FlashablePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_locator, "SHOW_UP_S", 0.5)
    variant = bench.ram("hung", FakeKernel("6.6.30-hung", fate="hangs"))
    lane = bench.open(FOUND, variant, boot_s=1.0)
    with pytest.raises(BootFailed, match=r"it did not come up within 1 s") as caught:
        boot_into(lane, variant)
    assert "not rolled back" in caught.value.log
    with pytest.raises(LabError, match=r"neither on adb nor in its bootloader.*power key"):
        boot_into(lane, FOUND)
    with pytest.raises(StateError, match=r"could not be restored.*run: fastboot -s .* reboot"):
        lane.close()
    # A person restarts it; the record that something is pending is still there.
    assert pending_restore.load(phone.bootloader.serial) is not None
    phone.android.on_reboot("")
    lane = bench.open(FOUND, variant)
    assert bench.proved(lane, FOUND) == OWN.release
    lane.close()
    assert pending_restore.load(phone.bootloader.serial) is None


def test_a_crash_in_a_block_is_seen_and_the_next_boot_works(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    boot_into(lane, variant)
    phone.panic()
    log = lane.crash_log()
    assert log is not None
    assert PANIC.strip() in log
    assert bench.proved(lane, variant) == ONE.release


def test_an_image_that_the_bootloader_cannot_download(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.max_download = 4096
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(UsageError, match=r"bytes, its bootloader downloads at most 4096"):
        boot_into(lane, variant)
    lane.close()
    assert phone.kernel == OWN


def test_a_refused_boot_leaves_the_phone_well(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.faults.fail["boot"] = "unsupported header"
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(CommandFailed, match="unsupported header"):
        boot_into(lane, variant)
    assert lane.crash_log() is None, "nobody waits for a phone that is in its bootloader"
    lane.close()
    assert phone.changes[-1] == f"android:a:{OWN.release}"


def test_a_link_that_breaks_can_be_tried_again(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.faults.drop_in_download_after = 100
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(DeviceLost, match="disconnected"):
        boot_into(lane, variant)
    assert bench.proved(lane, variant) == ONE.release


def test_a_bootloader_that_does_not_appear(
    bench: Bench, phone: FlashablePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_kernels, "BOOTLOADER_S", 0.5)
    monkeypatch.setattr(boot_locator, "SHOW_UP_S", 0.5)
    phone.bootloader.faults.appears = False
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(DeviceLost, match="no bootloader answers"):
        boot_into(lane, variant)
    phone.bootloader.faults.appears = True
    phone.bootloader.start()
    assert bench.proved(lane, variant) == ONE.release


def test_a_locked_bootloader_and_an_empty_battery(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    phone.bootloader.unlocked = False
    with pytest.raises(LabError, match=r"bootloader is locked.*flashing unlock"):
        boot_into(lane, variant)
    phone.bootloader.unlocked = True
    phone.bootloader.extra["battery-soc-ok"] = "no"
    with pytest.raises(LabError, match=r"battery is too low"):
        boot_into(lane, variant)
    assert "boot" not in phone.bootloader.commands
