"""What is refused before a phone is touched, which commands would run, and in which order."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from foundation.errors import LabError, UsageError
from harness.campaign.dry_run import dry_run_text
from harness.campaign.merging import settings_of
from harness.campaign.runner import runs_of
from harness.campaign.session import plan_of
from harness.device.fastboot.checks import check_bootloader
from harness.device.fastboot.choice import (
    Kernel,
    KnownGood,
    SlotKernel,
    check_together,
    known_good_of,
)
from harness.device.fastboot.dry_run import kernel_commands
from harness.device.fastboot.opening import FlashOptions
from harness.device.fastboot.steps import (
    AwaitAndroid,
    Flash,
    Inspect,
    PhoneNames,
    SetActive,
    Situation,
    Step,
    after,
    is_original,
    steps_back,
    steps_to,
)
from harness.variants.variant import Variant, hashes_of, kernels_of, parse_variant
from tests.stand_ins.bootloader.images import FakeKernel, boot_image, dtbo_image, vbmeta_image
from tests.variants import phone_variant

ONE = FakeKernel("6.6.30-one")
TWO = FakeKernel("6.6.30-two")
PHONE = PhoneNames("R58", "R58", "a", "b")


def test_another_phones_bootloader() -> None:
    with pytest.raises(LabError, match="reports serial number OTHER, but the phone on adb is R58"):
        check_bootloader({"serialno": "OTHER"}, Inspect(), PHONE, serialno="R58")


def folder_of(root: Path, name: str, *, product: bool = True, **content: bytes) -> Path:
    folder = root / name
    folder.mkdir()
    for partition, data in content.items():
        (folder / f"{partition}.img").write_bytes(data)
    if product:
        (folder / "images.toml").write_text('product = "fakephone"\n')
    return folder


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return folder_of(tmp_path, "one", boot=boot_image(ONE), dtbo=dtbo_image() + b"one")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return folder_of(tmp_path, "two", boot=boot_image(TWO))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    own = FakeKernel("6.6.30-own")
    return folder_of(tmp_path, "good", product=False, boot=boot_image(own), dtbo=dtbo_image())


def flashed(folder: Path, slot: str = "inactive", name: str = "v") -> Variant:
    return parse_variant(f"{name}=flash:set={folder},slot={slot}", device_kind="phone")


def kernel(variant: Variant) -> Kernel:
    return kernels_of([variant])[variant.name]


def run(steps: list[Step], now: Situation) -> Situation:
    for step in steps:
        now = after(step, now)
    return now


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p=boot", "kind 'boot' needs image=FILE"),
        ("p=boot:release=6.1", "kind 'boot' needs image=FILE"),
        ("p=boot:imgae=x", "did you mean 'image'"),
        ("p=flash", "kind 'flash' needs set=DIR"),
        ("p=flash:set=x,slt=b", "did you mean 'slot'"),
        ("p=fastboot:image=x", "has no kind 'fastboot'"),
    ],
)
def test_a_bad_spec(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_variant(text, device_kind="phone")


def test_a_virtual_device_is_not_flashed() -> None:
    with pytest.raises(UsageError, match="a virtual device has no kind 'flash'"):
        parse_variant("p=flash:set=x", device_kind="virtual")


def test_an_unknown_slot(one: Path) -> None:
    with pytest.raises(
        UsageError, match=r"variant 'v': there is no slot 'c' -> slots are inactive, active, a, b"
    ):
        flashed(one, "c")
    with pytest.raises(UsageError, match="the phone has no slots, but slot=b was requested"):
        steps_to(kernel(flashed(one, "b")), Situation("android", ""), PhoneNames("s", "s", "", ""), None)


def test_hashes_are_part_of_the_plan(one: Path, two: Path) -> None:
    found = hashes_of([phone_variant("base=as-is"), flashed(one, name="one"), flashed(two, name="two")])
    assert {name: sorted(hashes) for name, hashes in found.items()} == {
        "one": ["boot", "dtbo"],
        "two": ["boot"],
    }
    assert len(found["one"]["boot"]) == 64


def test_what_is_rolled_back_to_must_be_said(one: Path, good: Path, tmp_path: Path) -> None:
    kernels = {"v": kernel(flashed(one))}
    with pytest.raises(UsageError, match=r"variant 'v' writes to the phone.*give --known-good SET"):
        check_together(kernels, None)
    with pytest.raises(UsageError, match="active slot, which --known-good slot must keep"):
        check_together({"v": kernel(flashed(one, "active"))}, KnownGood(None))
    (good / "dtbo.img").unlink()
    with pytest.raises(UsageError, match="lacks dtbo, which variant 'v' writes"):
        check_together(kernels, known_good_of(str(good)))
    with pytest.raises(UsageError, match="--known-good: cannot read"):
        known_good_of(str(tmp_path / "nowhere"))
    check_together(kernels, KnownGood(None))


def test_a_set_must_name_its_product(tmp_path: Path) -> None:
    nameless = folder_of(tmp_path, "nameless", product=False, boot=boot_image(ONE))
    with pytest.raises(UsageError, match="does not name its product"):
        check_together({"v": kernel(flashed(nameless))}, KnownGood(None))


def test_kernels_must_be_distinguishable(tmp_path: Path) -> None:
    for name, data in (("x", boot_image(ONE)), ("y", boot_image(ONE) + b"\0" * 4096)):
        (tmp_path / f"{name}.img").write_bytes(data)
    x, y = (parse_variant(f"{n}=boot:image={tmp_path}/{n}.img", device_kind="phone") for n in "xy")
    with pytest.raises(UsageError, match=r"variants 'x' and 'y' cannot be told apart .*6.6.30-one"):
        check_together({"x": kernel(x), "y": kernel(y)}, None)
    check_together({"x": kernel(x), "again": kernel(x)}, None)


def test_a_kernel_that_does_not_identify_itself(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    path.write_bytes(boot_image(ONE, payload=b"encrypted"))
    silent = parse_variant(f"p=boot:image={path}", device_kind="phone")
    with pytest.raises(UsageError, match=r"does not identify its kernel.*release=RELEASE"):
        check_together({"p": kernel(silent)}, None)
    stated = parse_variant(f"p=boot:image={path},release=6.6.30-mine", device_kind="phone")
    check_together({"p": kernel(stated)}, None)
    assert kernel(stated).fingerprint.release == "6.6.30-mine"


def test_after_any_order_of_kernels_the_phone_is_put_back(
    one: Path, two: Path, good: Path, tmp_path: Path
) -> None:
    """Every order of three of: the found kernel, one from memory, sets in either slot."""
    (tmp_path / "ram.img").write_bytes(boot_image(FakeKernel("6.6.30-ram")))
    ram = kernel(parse_variant(f"r=boot:image={tmp_path}/ram.img", device_kind="phone"))
    choices = [None, ram, *(kernel(flashed(f, slot)) for f in (one, two) for slot in ("a", "b"))]
    known_good = known_good_of(str(good))
    for order in itertools.product(choices, repeat=3):
        now = Situation("android", "a")
        for chosen in order:
            steps = steps_to(chosen, now, PHONE, known_good)
            assert isinstance(steps[-1], AwaitAndroid)
            now = run(steps, now)
            assert (now.place, now.kernel) == ("android", chosen)
            slot = chosen.slot if isinstance(chosen, SlotKernel) else "a"
            assert now.active == slot
            wanted = chosen.hashes() if isinstance(chosen, SlotKernel) else {}
            in_slot = {name[:-2]: sha for name, sha in now.written.items() if name.endswith(slot)}
            own = known_good.images.hashes() if known_good.images else {}
            assert all(in_slot[name] == wanted.get(name, own[name]) for name in in_slot | wanted)
        now = run(steps_back(now, PHONE, known_good), now)
        assert is_original(now, PHONE, known_good)
        assert known_good.images is not None
        hashes = known_good.images.hashes()
        assert all(sha == hashes[name[:-2]] for name, sha in now.written.items())
        assert now.active == "a"


def test_what_was_left_half_written_is_written_again(one: Path, good: Path) -> None:
    half = Situation("bootloader", "a", {"boot_b": "", "dtbo_b": kernel(flashed(one)).hashes()["dtbo"]})
    steps = steps_to(kernel(flashed(one)), half, PHONE, known_good_of(str(good)))
    assert [step.partition for step in steps if isinstance(step, Flash)] == ["boot_b"]
    back = steps_back(half, PHONE, known_good_of(str(good)))
    assert [step.partition for step in back if isinstance(step, Flash)] == ["dtbo_b", "boot_b"]
    assert not any(isinstance(step, SetActive) for step in back)


def test_modules_before_the_kernel_there_and_after_it_back(tmp_path: Path) -> None:
    mine = folder_of(tmp_path, "mine", boot=boot_image(ONE), vendor_dlkm=b"m", vbmeta=vbmeta_image(1))
    own = folder_of(tmp_path, "own", boot=boot_image(TWO), vendor_dlkm=b"o", vbmeta=vbmeta_image(0))
    known_good = known_good_of(str(own))
    steps = steps_to(kernel(flashed(mine, "active")), Situation("android", "a"), PHONE, known_good)
    assert [step.partition for step in steps if isinstance(step, Flash)] == [
        "vendor_dlkm_a",
        "vbmeta_a",
        "boot_a",
    ]
    back = steps_back(run(steps, Situation("android", "a")), PHONE, known_good)
    assert [step.partition for step in back if isinstance(step, Flash)] == [
        "vbmeta_a",
        "boot_a",
        "vendor_dlkm_a",
    ]


def shown(blocks: list[Variant], options: FlashOptions, serial: str | None = "R58") -> list[str]:
    names = [variant.name for variant in blocks]
    lines = kernel_commands(names, kernels_of(blocks), options, serial=serial)
    return [line for line in lines if not line.startswith("FOUND is")]


def test_dry_run_of_a_kernel_from_memory(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    path.write_bytes(boot_image(ONE))
    base, ram = phone_variant("base=as-is"), phone_variant(f"ram=boot:image={path}")
    digest = hashes_of([ram])["ram"]["boot"]
    text = shown([base, ram, ram, base], FlashOptions())
    assert text == [
        "block 0, base:",
        "    adb -s R58 reboot",
        "    adb -s R58 wait-for-device",
        "    adb -s R58 shell 'getprop sys.boot_completed; getprop ro.boot.slot_suffix; uname -r -v'",
        "block 1, ram:",
        "    adb -s R58 reboot bootloader",
        "    fastboot -s R58 getvar is-userspace",
        "    fastboot -s R58 getvar all",
        f"    fastboot -s R58 boot {path}  # sha256 {digest[:16]}, nothing is written",
        "    adb -s R58 wait-for-device",
        "    adb -s R58 shell 'getprop sys.boot_completed; getprop ro.boot.slot_suffix; uname -r -v'",
        "block 2, ram: as block 1",
        "block 3, base: as block 0",
        "at the end, and after an error or Ctrl-C:",
        "    nothing: the original kernel runs",
    ]


def test_dry_run_of_a_set(one: Path, good: Path) -> None:
    text = shown([flashed(one)], FlashOptions(known_good=str(good)), serial=None)
    assert f"    fastboot -s SERIAL flash boot_OTHER {one}/boot.img" in [
        line.split("  #")[0] for line in text
    ]
    assert "    fastboot -s SERIAL set_active OTHER" in text
    end = text[text.index(next(line for line in text if line.startswith("at the end"))) :]
    assert "    fastboot -s SERIAL set_active FOUND" in end
    assert any("flash boot_OTHER" in line and str(good) in line for line in end)
    with pytest.raises(UsageError, match="there is nothing to roll back to"):
        shown([flashed(one)], FlashOptions())
    with pytest.raises(UsageError, match="no variant writes to the phone"):
        shown([phone_variant("base=as-is")], FlashOptions(known_good="slot"))


def phone_line(one: Path, good: Path, **more: Any) -> dict[str, Any]:
    variants = ("found=as-is", f"one=flash:set={one}")
    line = {"device": "phone", "variants": variants, "scenarios": ("idle",), "pairs": 1, "seed": 1}
    return {**line, "allow_flash": True, "known_good": str(good), **more}


def test_a_campaign_shows_its_commands_and_keeps_its_images(one: Path, good: Path, tmp_path: Path) -> None:
    settings = settings_of(phone_line(one, good, serial="R58", results=tmp_path / "r"))
    text = dry_run_text([settings])
    assert f"    fastboot -s R58 flash boot_OTHER {one}/boot.img" in text
    assert "swapon /dev/block/zram0" in text
    plan = plan_of(settings)
    before = plan.identity()["variants"]
    assert before[0].images is UNSET
    assert before[1].images == hashes_of(plan.variants)["one"]
    (one / "boot.img").write_bytes(boot_image(FakeKernel("6.6.30-rebuilt")))
    assert plan_of(settings).identity()["variants"] != before, "another campaign, not to be mixed"


def test_the_options_of_a_phone_reach_every_leg(one: Path, good: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        f'workload = "memory-eater"\nvariants = ["found=as-is", "one=flash:set={one}"]\n'
        '[[legs]]\nname = "x"\n[[legs]]\nname = "y"\n'
    )
    lab = tmp_path / "lab.toml"
    lab.write_text('[[device]]\nserial = "R58"\nmodel = "M"\nbuild = "a/b/c"\n')
    line = phone_line(one, good, campaign=str(file), lab=lab, boot_deadline_s=60.0, reboot_between=True)
    del line["variants"]
    line["results"] = tmp_path / "r"
    runs = runs_of(line)
    assert [run.name for run in runs] == ["own/x", "own/y"]
    text = " ".join(runs[1].arguments)
    for_phone = f"--lab {lab} --reboot-between --allow-flash --known-good {good} --boot-deadline-s 60.0"
    assert f" {for_phone} " in text
    assert text.endswith("--seed 1")
    slot = runs_of({**line, "known_good": "slot"})
    assert "--known-good slot " in " ".join(slot[0].arguments)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"device": "virtual"}, "--allow-flash is for a phone"),
        ({"boot_deadline_s": 0.0}, "--boot-deadline-s must be 1 to 3600"),
    ],
)
def test_options_that_cannot_be(one: Path, good: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings_of(phone_line(one, good, **more))
