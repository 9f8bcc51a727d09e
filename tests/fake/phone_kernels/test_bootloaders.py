"""Bootloaders as makers ship them: without fastboot, with other names, with one complete system."""

from __future__ import annotations

import pytest

from foundation.errors import BootFailed, LabError, UsageError
from tests.fake.phone_kernels.bench import FOUND, ONE, Bench
from tests.stand_ins.bootloader.daemon import Listing
from tests.stand_ins.bootloader.images import FakeKernel
from tests.stand_ins.bootloader.phone import OWN, FlashablePhone
from tests.variants import boot_into


@pytest.mark.parametrize("kind", ["boot", "flash"])
def test_a_samsung_is_not_sent_to_its_download_mode(bench: Bench, phone: FlashablePhone, kind: str) -> None:
    phone.maker = "samsung"
    phone.android.properties["ro.product.manufacturer"] = "samsung"
    variant = bench.ram("one", ONE) if kind == "boot" else bench.flash("one", ONE)
    with pytest.raises(UsageError, match=r"Samsung.*do not speak fastboot.*download mode"):
        bench.open(FOUND, variant, known_good="slot" if kind == "flash" else None)
    assert phone.changes == []


def test_a_bootloader_with_a_serial_number_of_its_own(bench: Bench, phone: FlashablePhone) -> None:
    """It was named with --fastboot-serial, and it answers only while the phone is not in Android."""
    phone.bootloader.serial = "a9e05ae4"
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    assert bench.proved(lane, variant) == ONE.release


def test_a_named_bootloader_that_answers_beside_android_is_another_phones(
    bench: Bench, phone: FlashablePhone
) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    phone.bootloader.start()
    with pytest.raises(LabError, match=r"answers while the phone runs Android.*another phone"):
        boot_into(lane, variant)
    assert phone.changes == []
    phone.bootloader.stop()


@pytest.mark.parametrize("listing", ["aosp", "pixel", "qualcomm"])
def test_sizes_as_each_bootloader_writes_them(
    bench: Bench, phone: FlashablePhone, listing: Listing
) -> None:
    phone.bootloader.listing = listing
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    assert bench.proved(lane, variant) == ONE.release
    phone.bootloader.max_download = 8192
    ram = bench.ram("ram", ONE)
    lane = bench.open(FOUND, ram)
    with pytest.raises(UsageError, match=r"bytes, its bootloader downloads at most 8192"):
        boot_into(lane, ram)


@pytest.mark.parametrize("listing", ["aosp", "pixel", "qualcomm"])
def test_a_slot_without_a_system_is_not_a_failure_of_the_kernel(
    bench: Bench, phone: FlashablePhone, listing: Listing
) -> None:
    phone.bootloader.listing, phone.bootloader.update_status = listing, "none"
    phone.android.properties["ro.virtual_ab.enabled"] = "true"
    phone.bootloader.storage.keep_one_system()
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    with pytest.raises(LabError, match=r"slot b has no system.*vendor, vendor_dlkm.*slot=active"):
        boot_into(lane, variant)
    lane.close()
    assert bench.writes == []
    active = bench.flash("one", ONE, slot="active")
    lane = bench.open(FOUND, active, known_good=bench.good("boot"))
    assert bench.proved(lane, active) == ONE.release


def test_a_whole_second_slot_of_virtual_ab_is_looked_at_once(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.update_status = "none"
    phone.android.properties["ro.virtual_ab.enabled"] = "true"
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    assert [bench.proved(lane, each) for each in (variant, FOUND, variant)] == [
        ONE.release,
        OWN.release,
        ONE.release,
    ]
    assert phone.changes.count("fastbootd") == 1


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ("unbootable", "slot b is marked unbootable"),
        ("successful", "slot b has never started successfully"),
    ],
)
def test_a_slot_that_never_started(bench: Bench, phone: FlashablePhone, sign: str, words: str) -> None:
    slot = phone.bootloader.storage.slots["b"]
    setattr(slot, sign, sign == "unbootable")
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    with pytest.raises(LabError, match=words):
        boot_into(lane, variant)
    assert bench.writes == []


@pytest.mark.parametrize("status", ["snapshotted", "merging"])
@pytest.mark.parametrize("kind", ["boot", "flash"])
def test_a_system_update_that_is_not_finished(
    bench: Bench, phone: FlashablePhone, status: str, kind: str
) -> None:
    phone.bootloader.update_status = status
    variant = bench.ram("one", ONE) if kind == "boot" else bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot" if kind == "flash" else None)
    with pytest.raises(LabError, match=rf"update.*snapshot-update-status is {status}"):
        boot_into(lane, variant)
    assert bench.writes == []
    assert "boot" not in phone.bootloader.commands


def test_a_second_slot_that_failed_before_is_used_again(bench: Bench, phone: FlashablePhone) -> None:
    """The suite's own set_active makes a slot unsuccessful until it has started."""
    broken = bench.flash("broken", FakeKernel("6.6.30-broken", fate="panics"))
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, broken, variant, known_good="slot")
    with pytest.raises(BootFailed):
        boot_into(lane, broken)
    assert bench.proved(lane, variant) == ONE.release
