"""Kernels on a phone: started from memory or a slot, proved, rolled back, put back; and what fails."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from android_tests.__main__ import main
from android_tests.device.adb_device import AdbDevice
from android_tests.device.adb_server import AdbServer
from android_tests.device.fastboot import phone_kernels, unfinished, whereabouts
from android_tests.device.fastboot.opening import FlashOptions
from android_tests.device.identity import prove, read_identity
from android_tests.device.lab import Act, Lab, LabDevice
from android_tests.device.lane_phone import PhoneLane, open_phone
from android_tests.device.state.journal import process_of
from android_tests.device.variant import Variant
from foundation.errors import (
    BootFailed,
    CommandFailed,
    DeviceLost,
    HostError,
    LabError,
    StateError,
    SuiteError,
    UsageError,
    WrongKernel,
)
from tests.fake.bootloader.images import FakeKernel, Fate, boot_image, dtbo_image, vbmeta_image
from tests.fake.bootloader.phone import OWN, PANIC, FlashablePhone

BUILD = "fake/fakephone/fakephone:15/AP1A/1:userdebug/dev-keys"
ONE = FakeKernel("6.6.30-one", build_id="11" * 20)
TWO = FakeKernel("6.6.30-two", build_id="22" * 20)
FOUND = Variant("found", "as-is")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Deadlines of a test, and a place of its own for what is owed."""
    monkeypatch.setattr(whereabouts, "SHOW_UP_S", 3.0)
    monkeypatch.setattr(whereabouts, "TAKEN_BACK_S", 0.3)
    monkeypatch.setattr(phone_kernels, "BOOTLOADER_S", 3.0)
    monkeypatch.setattr(unfinished, "cache_dir", lambda *parts: tmp_path)


class Bench:
    """A phone, images beside it, and lanes on it."""

    def __init__(self, adb: AdbServer, phone: FlashablePhone, folder: Path) -> None:
        self.adb, self.phone, self.folder = adb, phone, folder
        self.serial = adb.connect(phone.android.serial)
        self.device = AdbDevice(adb, self.serial)
        self.allow = frozenset(Act)
        self.lanes: list[PhoneLane] = []
        self.said: list[str] = []

    def image(self, name: str, kernel: FakeKernel) -> str:
        path = self.folder / f"{name}.img"
        path.write_bytes(boot_image(kernel))
        return str(path)

    def ram(self, name: str, kernel: FakeKernel) -> Variant:
        return Variant(name, "boot", {"image": self.image(name, kernel)})

    def images(self, name: str, content: Mapping[str, bytes]) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for partition, data in content.items():
            (folder / f"{partition}.img").write_bytes(data)
        (folder / "images.toml").write_text('product = "fakephone"\n')
        return folder

    def flash(self, name: str, kernel: FakeKernel, slot: str = "inactive", **more: bytes) -> Variant:
        folder = self.images(name, {"boot": boot_image(kernel), **more})
        return Variant(name, "flash", {"set": str(folder), "slot": slot})

    def good(self, *partitions: str) -> Path:
        """The images that are on the phone."""
        suffix = "_a" if self.phone.bootloader.storage.slots else ""
        return self.images("good", {name: self.phone.flashed(name + suffix) for name in partitions})

    def open(
        self, *variants: Variant, known_good: Path | str | None = None, boot_s: float = 4.0
    ) -> PhoneLane:
        listed = LabDevice(self.serial, "Fake", BUILD, None, self.allow)
        options = FlashOptions(
            allowed=True,
            known_good=None if known_good is None else str(known_good),
            serial=self.phone.bootloader.address,
            boot_deadline_s=boot_s,
        )
        lane = open_phone(
            "phone-0",
            serial=self.serial,
            adb_port=self.adb.port,
            variants=variants,
            flash=options,
            lab=Lab(Path("lab.toml"), (listed,)),
            say=self.said.append,
        )
        self.lanes.append(lane)
        return lane

    def proved(self, lane: PhoneLane, variant: Variant) -> str:
        """Boot it, and prove it as a block does; the release that runs."""
        device = lane.boot(variant)
        wanted = lane.expectation(variant)
        identity = read_identity(device, wanted)
        prove(identity, wanted)
        return identity.release

    @property
    def writes(self) -> list[str]:
        return self.phone.bootloader.storage.writes


@pytest.fixture
def phone() -> Iterator[FlashablePhone]:
    with FlashablePhone() as made:
        yield made


@pytest.fixture
def bench(adb: AdbServer, phone: FlashablePhone, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(adb, phone, tmp_path)
    yield made
    phone.bootloader.faults.fail.clear()
    for lane in made.lanes:
        try:
            lane.close()
        except SuiteError:
            assert phone.place != "android", "a test's phone that is well must be put back"
    adb.disconnect(made.serial)


# From memory.


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
    assert unfinished.load(phone.bootloader.serial) is None


def test_the_build_id_proves_a_kernel_of_the_same_name(bench: Bench, phone: FlashablePhone) -> None:
    rebuilt = FakeKernel(OWN.release, OWN.version, build_id="33" * 20)
    variant = bench.ram("rebuilt", rebuilt)
    lane = bench.open(FOUND, variant)
    assert bench.proved(lane, variant) == OWN.release
    phone.android.files.put("/sys/kernel/notes", ONE.note)
    wanted = lane.expectation(variant)
    identity = read_identity(bench.device, wanted)
    with pytest.raises(WrongKernel, match=f"build id of vmlinux is {ONE.build_id}"):
        prove(identity, wanted)


def test_without_a_build_id_to_read_release_and_version_prove(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    lane.boot(variant)
    phone.android.files.remove("/sys/kernel/notes")
    wanted = lane.expectation(variant)
    assert (wanted.release, wanted.version, dict(wanted.build_ids)) == (ONE.release, ONE.version, {})
    prove(read_identity(bench.device, wanted), wanted)


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        ("panics", "it is back on the kernel that it was found with"),
        ("to-bootloader", "it is back in its bootloader"),
        ("no-android", "its kernel came up, and Android did not start within 1.5 s"),
    ],
)
def test_a_kernel_that_does_not_come_up_is_a_result(
    bench: Bench, phone: FlashablePhone, fate: Fate, words: str
) -> None:
    variant = bench.ram("broken", FakeKernel("6.6.30-broken", fate=fate))
    lane = bench.open(FOUND, variant, boot_s=1.5)
    with pytest.raises(BootFailed, match=f"'broken' was started from memory, but {words}") as caught:
        lane.boot(variant)
    assert phone.kernel == OWN, "it is rolled back"
    log = caught.value.log
    assert f"fastboot -s {phone.bootloader.address} boot {bench.folder}/broken.img" in log
    if fate == "panics":
        assert PANIC in log
        assert "reason of the restart: kernel_panic" in log
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
        lane.boot(variant)
    assert "(could not be read: 'dmesg' ended with exit status 1" in caught.value.log
    assert phone.kernel == OWN


def test_a_kernel_that_hangs_takes_the_phone_with_it(
    bench: Bench, phone: FlashablePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whereabouts, "SHOW_UP_S", 0.5)
    variant = bench.ram("hung", FakeKernel("6.6.30-hung", fate="hangs"))
    lane = bench.open(FOUND, variant, boot_s=1.0)
    with pytest.raises(BootFailed, match=r"it did not come up within 1 s") as caught:
        lane.boot(variant)
    assert "not rolled back" in caught.value.log
    with pytest.raises(LabError, match=r"neither on adb nor in its bootloader.*power key"):
        lane.boot(FOUND)
    with pytest.raises(StateError, match=r"could not be put back.*run: fastboot -s .* reboot"):
        lane.close()
    # A person restarts it; the record that something is owed is still there.
    assert unfinished.load(phone.bootloader.serial) is not None
    phone.android.on_reboot("")
    lane = bench.open(FOUND, variant)
    assert bench.proved(lane, FOUND) == OWN.release
    lane.close()
    assert unfinished.load(phone.bootloader.serial) is None


def test_a_crash_in_a_block_is_seen_and_the_next_boot_works(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    lane.boot(variant)
    phone.panic()
    log = lane.crash_log()
    assert log is not None
    assert PANIC.strip() in log
    assert bench.proved(lane, variant) == ONE.release


def test_an_image_that_the_bootloader_cannot_download(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.max_download = 4096
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(UsageError, match=r"bytes, its bootloader downloads 4096"):
        lane.boot(variant)
    lane.close()
    assert phone.kernel == OWN


def test_a_refused_boot_leaves_the_phone_well(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.faults.fail["boot"] = "unsupported header"
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(CommandFailed, match="unsupported header"):
        lane.boot(variant)
    assert lane.crash_log() is None, "nobody waits for a phone that is in its bootloader"
    lane.close()
    assert phone.changes[-1] == f"android:a:{OWN.release}"


def test_a_link_that_breaks_can_be_tried_again(bench: Bench, phone: FlashablePhone) -> None:
    phone.bootloader.faults.drop_in_download_after = 100
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(DeviceLost, match="hung up"):
        lane.boot(variant)
    assert bench.proved(lane, variant) == ONE.release


def test_a_bootloader_that_does_not_appear(
    bench: Bench, phone: FlashablePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_kernels, "BOOTLOADER_S", 0.5)
    monkeypatch.setattr(whereabouts, "SHOW_UP_S", 0.5)
    phone.bootloader.faults.appears = False
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    with pytest.raises(DeviceLost, match="no bootloader answers"):
        lane.boot(variant)
    phone.bootloader.faults.appears = True
    phone.bootloader.start()
    assert bench.proved(lane, variant) == ONE.release


def test_another_phones_bootloader(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    phone.bootloader.serial = "OTHER"
    with pytest.raises(LabError, match="says serial number OTHER, the phone on adb is FAKE0001"):
        lane.boot(variant)
    phone.bootloader.serial = "FAKE0001"


def test_a_locked_bootloader_and_an_empty_battery(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    phone.bootloader.unlocked = False
    with pytest.raises(LabError, match=r"bootloader is locked.*flashing unlock"):
        lane.boot(variant)
    phone.bootloader.unlocked = True
    phone.bootloader.extra["battery-soc-ok"] = "no"
    with pytest.raises(LabError, match=r"battery is too low"):
        lane.boot(variant)
    assert "boot" not in phone.bootloader.commands


# Written to a slot.


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
    assert unfinished.load(phone.bootloader.serial) is None


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
        lane.boot(variant)
    assert PANIC in caught.value.log
    assert phone.bootloader.storage.active == "a"
    assert bench.proved(lane, FOUND) == OWN.release


def test_a_broken_kernel_in_the_only_slot_that_ran(bench: Bench, phone: FlashablePhone) -> None:
    """The other slot starts too; the phone goes back to its own slot with its own image."""
    variant = bench.flash("broken", FakeKernel("6.6.30-broken", fate="panics"), slot="active")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot"))
    with pytest.raises(BootFailed, match="it came up in slot b instead of a"):
        lane.boot(variant)
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.flashed("boot_a") == boot_image(OWN)


def test_a_bootloader_that_starts_the_wrong_slot(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    phone.bootloader.faults.boots_slot = "a"
    with pytest.raises(BootFailed, match="it came up in slot a instead of b"):
        lane.boot(variant)
    phone.bootloader.faults.boots_slot = None
    assert bench.proved(lane, variant) == ONE.release


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("product", UsageError, "is for product otherphone, the phone says fakephone"),
        ("size", UsageError, r"boot.img has \d+ bytes, partition boot_b holds 4096"),
        ("partition", UsageError, "it has no partition init_boot_b"),
        ("slotless", UsageError, "partition boot is there once, not once a slot"),
        ("locked", LabError, "bootloader is locked"),
        ("unbootable", LabError, "slot a, to which it is rolled back, is marked unbootable"),
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
        lane.boot(variant)
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
    with pytest.raises(UsageError, match=r"is for version-bootloader fake-1.3, the phone says fake-1.2"):
        lane.boot(variant)
    assert bench.writes == []


def test_a_write_that_fails_half_way_is_made_good(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE, slot="active", dtbo=dtbo_image() + b"one")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot", "dtbo"))
    before = dict(phone.bootloader.storage.content)
    phone.bootloader.faults.fail["flash:boot"] = "write error"
    with pytest.raises(CommandFailed, match="write error"):
        lane.boot(variant)
    assert phone.flashed("dtbo_a") != before["dtbo_a"]
    phone.bootloader.faults.fail.clear()
    lane.close()
    assert phone.bootloader.storage.content == before
    assert phone.kernel == OWN


def test_a_slot_that_cannot_be_chosen(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    lane = bench.open(FOUND, variant, known_good="slot")
    phone.bootloader.faults.forgets_set_active = True
    with pytest.raises(SuiteError, match="slot b was set active, and current-slot is a"):
        lane.boot(variant)
    lane.close()
    assert (phone.kernel, phone.running_slot) == (OWN, "a")


def test_a_phone_that_cannot_be_put_back_says_what_to_run(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE, slot="active")
    lane = bench.open(FOUND, variant, known_good=bench.good("boot"))
    lane.boot(variant)
    phone.bootloader.faults.fail["flash:"] = "worn out"
    with pytest.raises(StateError) as caught:
        lane.close()
    assert "worn out" in caught.value.what
    advice = str(caught.value.next_step)
    assert f"fastboot -s {phone.bootloader.address} flash boot_a {bench.folder}/good/boot.img" in advice
    owed = unfinished.load(phone.bootloader.serial)
    assert owed is not None
    assert list(owed.written) == ["boot_a"]


def test_a_killed_run_is_not_taken_for_how_the_phone_was_found(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    good = bench.good("boot")
    before = dict(phone.bootloader.storage.content)
    lane = bench.open(FOUND, variant, known_good=good)
    lane.boot(variant)
    bench.lanes.clear()  # Killed: nobody closes it.
    assert (phone.kernel, phone.running_slot) == (ONE, "b")
    again = bench.open(FOUND, variant, known_good=good)
    assert again.describe()["slot_found"] == "a"
    assert bench.proved(again, FOUND) == OWN.release
    assert bench.proved(again, variant) == ONE.release
    again.close()
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.bootloader.storage.content == before


def test_what_a_killed_run_left_is_restored_by_command(
    bench: Bench, phone: FlashablePhone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variant = bench.flash("one", ONE)
    before = dict(phone.bootloader.storage.content)
    bench.open(FOUND, variant, known_good=bench.good("boot")).boot(variant)
    bench.lanes.clear()
    with pytest.raises(LabError, match=r"killed has left another kernel on it.*restore --allow-flash"):
        bench.open(FOUND)
    with pytest.raises(UsageError, match=r"has left this phone to be rolled back to .*/good, not to slot"):
        bench.open(FOUND, variant, known_good="slot")
    lab = tmp_path / "lab.toml"
    lab.write_text(
        f'[[device]]\nserial = "{bench.serial}"\nmodel = "Fake"\nbuild = "{BUILD}"\n'
        'allow = ["flash", "reboot-bootloader"]\n'
    )
    words = ["restore", "--serial", bench.serial, "--adb-port", str(bench.adb.port), "--lab", str(lab)]
    words += ["--fastboot-serial", phone.bootloader.address]
    assert main([*words, "--dry-run"]) == 0
    assert f"fastboot -s {phone.bootloader.address} set_active a" in capsys.readouterr().out
    assert main(words) == 2
    assert "give --allow-flash" in capsys.readouterr().err
    assert phone.kernel == ONE
    assert main([*words, "--allow-flash"]) == 0
    assert f"kernel: {OWN.release}" in capsys.readouterr().out
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.bootloader.storage.content == before
    assert main([*words, "--allow-flash"]) == 0
    assert "nothing was left behind" in capsys.readouterr().out


def test_two_runs_on_one_phone(bench: Bench, phone: FlashablePhone, tmp_path: Path) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    lane.boot(variant)
    record = tmp_path / "FAKE0001.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"owner": list(process_of(os.getppid()))}))
    with pytest.raises(LabError, match=rf"process {os.getppid()} of this machine gives phone FAKE0001"):
        bench.open(FOUND, variant)


def test_a_record_that_is_damaged_stops_everything(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "FAKE0001.json").write_text(json.dumps({"slot": "a"}))
    with pytest.raises(HostError, match=r"says how phone FAKE0001 was found, cannot be read"):
        bench.open(FOUND, bench.ram("one", ONE))


def test_the_known_good_set_must_be_what_is_on_the_phone(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    wrong = bench.images("wrong", {"boot": boot_image(TWO)})
    with pytest.raises(UsageError, match="partition boot_b does not hold"):
        bench.open(FOUND, variant, known_good=wrong)
    phone.android.root = False
    lane = bench.open(FOUND, variant, known_good=wrong)
    assert "only be read as root" in lane.describe()["known_good_proved"]
    active = bench.flash("one", ONE, slot="active")
    with pytest.raises(UsageError, match=r"holds the kernel 6.6.30-two.*the phone runs 6.6.30-android15"):
        bench.open(FOUND, active, known_good=wrong)
    lane = bench.open(FOUND, active, known_good=bench.good("boot"))
    assert lane.describe()["known_good_proved"] == "the running kernel is that of the set"


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


# What is not allowed.


@pytest.mark.parametrize(
    ("missing", "kind"),
    [(Act.FASTBOOT_BOOT, "boot"), (Act.REBOOT_BOOTLOADER, "boot"), (Act.FLASH, "flash")],
)
def test_what_the_lab_does_not_allow(bench: Bench, phone: FlashablePhone, missing: Act, kind: str) -> None:
    variant = bench.ram("one", ONE) if kind == "boot" else bench.flash("one", ONE)
    bench.allow = frozenset(Act) - {missing}
    with pytest.raises(LabError, match=f"{missing.value} is not allowed"):
        bench.open(FOUND, variant, known_good="slot" if kind == "flash" else None)
    assert phone.changes == []


def test_nothing_without_the_option(bench: Bench, phone: FlashablePhone) -> None:
    with pytest.raises(UsageError, match="give --allow-flash"):
        open_phone(
            "phone-0", serial=bench.serial, adb_port=bench.adb.port, variants=[bench.ram("one", ONE)]
        )
    assert phone.changes == []


def test_a_kernel_that_the_lane_was_not_opened_for(bench: Bench) -> None:
    lane = bench.open(FOUND)
    with pytest.raises(UsageError, match="this lane was opened for none"):
        lane.boot(bench.ram("one", ONE))
