"""Kernels that are written to a slot, and put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import (
    BootFailed,
    CommandFailed,
    LabError,
    StateError,
    SuiteError,
    UsageError,
)
from harness.device.adb.adb_server import AdbServer
from harness.device.fastboot import pending_restore
from tests.fake.phone_kernels.bench import FOUND, ONE, TWO, Bench
from tests.stand_ins.bootloader.images import FakeKernel, boot_image, dtbo_image, vbmeta_image
from tests.stand_ins.bootloader.phone import OWN, PANIC, FlashablePhone
from tests.variants import boot_into


def test_the_inactive_slot_and_back(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE, dtbo=dtbo_image() + b"other")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot", "dtbo"))
    before = dict(phone.bootloader.storage.content)
    assert bench.proved(lane, variant) == ONE.release
    assert phone.running_slot == "b"
    assert bench.writes == ["dtbo_b", "boot_b"]
    assert bench.proved(lane, FOUND) == OWN.release
    assert phone.running_slot == "a"
    assert bench.proved(lane, variant) == ONE.release
    assert bench.writes == ["dtbo_b", "boot_b"], "what is there is not written again"
    lane.close()
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.bootloader.storage.content == before
    assert pending_restore.load(phone.bootloader.serial) is None


def test_two_sets_in_one_slot_do_not_mix(bench: Bench, phone: FlashablePhone) -> None:
    """The second set leaves dtbo out: it must run with the known-good one."""
    one = bench.flash("one", ONE, dtbo=dtbo_image() + b"one")
    two = bench.flash("two", TWO)
    with pytest.raises(UsageError, match="the variants differ in dtbo"):
        bench.open(one, two, known_good="slot")
    lane = bench.open(one, two, known_good=bench.good("boot", "dtbo"))
    good = phone.flashed("dtbo_b")
    assert bench.proved(lane, one) == ONE.release
    assert phone.flashed("dtbo_b") != good
    assert bench.proved(lane, two) == TWO.release
    assert phone.flashed("dtbo_b") == good


def test_the_slot_it_was_found_in(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE, slot="active")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot"))
    before = dict(phone.bootloader.storage.content)
    assert bench.proved(lane, variant) == ONE.release
    assert phone.running_slot == "a"
    assert bench.proved(lane, FOUND) == OWN.release
    assert phone.bootloader.storage.content == before
    bench.proved(lane, variant)
    lane.close()
    assert phone.bootloader.storage.content == before


def test_modules_are_written_by_fastbootd_while_a_good_kernel_is_there(
    bench: Bench, phone: FlashablePhone
) -> None:
    variant = bench.flash("one", ONE, slot="active", vendor_dlkm=b"modules of one", vbmeta=vbmeta_image(3))
    lane = bench.open(FOUND, variant, known_good=bench.good("boot", "vendor_dlkm", "vbmeta"))
    assert lane.describe()["vbmeta_one"] == "hashtree disabled, verification disabled"
    assert bench.proved(lane, variant) == ONE.release
    assert bench.writes == ["vendor_dlkm_a", "vbmeta_a", "boot_a"]
    assert phone.flashed("vendor_dlkm_a") == b"modules of one"
    assert [place for place in phone.changes if "android" not in place] == [
        "bootloader",
        "fastbootd",
        "bootloader",
    ]
    del bench.writes[:]
    lane.close()
    assert bench.writes == ["vbmeta_a", "boot_a", "vendor_dlkm_a"], "here the good kernel comes first"
    assert phone.flashed("vendor_dlkm_a") == b"modules of the factory"


def test_modules_that_the_phone_would_not_believe(bench: Bench) -> None:
    variant = bench.flash("one", ONE, vendor_dlkm=b"modules of one")
    with pytest.raises(UsageError, match=r"vendor_dlkm without vbmeta.*veritymode is enforcing"):
        bench.open(FOUND, variant, known_good=bench.good("boot", "vendor_dlkm"))


def test_a_slot_that_does_not_start_falls_back_and_is_a_result(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("broken", FakeKernel("6.6.30-broken", fate="panics"))
    lane = bench.open(FOUND, variant, known_good="slot")
    with pytest.raises(BootFailed, match="it came up in slot a instead of b") as caught:
        boot_into(lane, variant)
    assert PANIC in caught.value.log
    assert phone.bootloader.storage.active == "a"
    assert bench.proved(lane, FOUND) == OWN.release


def test_a_broken_kernel_in_the_only_slot_that_ran(bench: Bench, phone: FlashablePhone) -> None:
    """The other slot starts too; the phone goes back to its own slot with its own image."""
    variant = bench.flash("broken", FakeKernel("6.6.30-broken", fate="panics"), slot="active")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot"))
    with pytest.raises(BootFailed, match="it came up in slot b instead of a"):
        boot_into(lane, variant)
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.flashed("boot_a") == boot_image(OWN)


def test_a_bootloader_that_starts_the_wrong_slot(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    phone.bootloader.faults.boots_slot = "a"
    with pytest.raises(BootFailed, match="it came up in slot a instead of b"):
        boot_into(lane, variant)
    phone.bootloader.faults.boots_slot = None
    assert bench.proved(lane, variant) == ONE.release


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("product", UsageError, "is for product otherphone, but the phone reports fakephone"),
        ("size", UsageError, r"boot.img has \d+ bytes, partition boot_b holds 4096"),
        ("partition", UsageError, "it has no partition init_boot_b"),
        ("slotless", UsageError, "partition boot exists once, not once per slot"),
        ("locked", LabError, "bootloader is locked"),
        ("unbootable", LabError, "slot a, the one to roll back to, is marked unbootable"),
    ],
)
def test_refused_before_anything_is_written(
    bench: Bench, phone: FlashablePhone, change: str, error: type[SuiteError], words: str
) -> None:
    variant = bench.flash("one", ONE)
    folder = Path(variant.options["set"])
    storage = phone.bootloader.storage
    if change == "product":
        (folder / "images.toml").write_text('product = "otherphone"\n')
    elif change == "size":
        storage.sizes["boot_b"] = 4096
    elif change == "partition":
        (folder / "init_boot.img").write_bytes(phone.flashed("init_boot_a"))
        del storage.sizes["init_boot_b"], storage.sizes["init_boot_a"]
    elif change == "slotless":
        phone.bootloader.extra["has-slot:boot"] = "no"
    elif change == "locked":
        phone.bootloader.unlocked = False
    else:
        storage.slots["a"].unbootable = True
    lane = bench.open(FOUND, variant, known_good="slot")
    with pytest.raises(error, match=words):
        boot_into(lane, variant)
    assert bench.writes == []
    phone.bootloader.unlocked = True
    lane.close()
    assert bench.writes == []


def test_a_bootloader_of_another_version(bench: Bench) -> None:
    variant = bench.flash("one", ONE)
    (Path(variant.options["set"]) / "images.toml").unlink()
    info = Path(variant.options["set"]) / "android-info.txt"
    info.write_text("require board=fakephone|fakephone2\nrequire version-bootloader=fake-1.3\n")
    lane = bench.open(FOUND, variant, known_good="slot")
    with pytest.raises(
        UsageError, match=r"is for version-bootloader fake-1.3, but the phone reports fake-1.2"
    ):
        boot_into(lane, variant)
    assert bench.writes == []


def test_a_write_that_fails_half_way_is_made_good(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE, slot="active", dtbo=dtbo_image() + b"one")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot", "dtbo"))
    before = dict(phone.bootloader.storage.content)
    phone.bootloader.faults.fail["flash:boot"] = "write error"
    with pytest.raises(CommandFailed, match="write error"):
        boot_into(lane, variant)
    assert phone.flashed("dtbo_a") != before["dtbo_a"]
    phone.bootloader.faults.fail.clear()
    lane.close()
    assert phone.bootloader.storage.content == before
    assert phone.kernel == OWN


def test_a_slot_that_cannot_be_chosen(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    phone.bootloader.faults.forgets_set_active = True
    with pytest.raises(SuiteError, match="slot b was set active, but current-slot is a"):
        boot_into(lane, variant)
    lane.close()
    assert (phone.kernel, phone.running_slot) == (OWN, "a")


def test_a_phone_that_cannot_be_restored_gets_the_commands(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE, slot="active")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot"))
    boot_into(lane, variant)
    phone.bootloader.faults.fail["flash:"] = "worn out"
    with pytest.raises(StateError) as caught:
        lane.close()
    assert "worn out" in caught.value.what
    advice = str(caught.value.next_step)
    assert f"fastboot -s {phone.bootloader.address} flash boot_a {bench.folder}/good/boot.img" in advice
    pending = pending_restore.load(phone.bootloader.serial)
    assert pending is not None
    assert list(pending.written) == ["boot_a"]


def test_the_known_good_set_must_be_what_is_on_the_phone(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    wrong = bench.images("wrong", {"boot": boot_image(TWO)})
    with pytest.raises(UsageError, match="partition boot_b does not hold"):
        bench.open(FOUND, variant, known_good=wrong)
    phone.android.root = False
    lane = bench.open(FOUND, variant, known_good=wrong)
    assert "only root can read" in lane.describe()["known_good_proved"]
    active = bench.flash("one", ONE, slot="active")
    with pytest.raises(UsageError, match=r"holds the kernel 6.6.30-two.*the phone runs 6.6.30-android15"):
        bench.open(FOUND, active, known_good=wrong)
    lane = bench.open(FOUND, active, known_good=bench.good("boot"))
    assert lane.describe()["known_good_proved"] == "the running kernel is the set's"


def test_a_phone_without_slots(adb: AdbServer, tmp_path: Path) -> None:
    with FlashablePhone(slots=False) as phone:
        bench = Bench(adb, phone, tmp_path)
        variant = bench.flash("one", ONE)
        with pytest.raises(LabError, match=r"slot \(it has none\), the known-good one"):
            bench.open(FOUND, variant, known_good="slot")
        lane = bench.open(FOUND, variant, known_good=bench.good("boot"))
        assert bench.proved(lane, variant) == ONE.release
        assert bench.proved(lane, FOUND) == OWN.release
        bench.proved(lane, variant)
        lane.close()
        assert phone.flashed("boot") == boot_image(OWN)
        adb.disconnect(bench.serial)
