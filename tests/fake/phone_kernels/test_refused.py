"""What is not allowed, and what a killed run leaves to the next one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from android_tests.__main__ import main
from foundation.errors import (
    HostError,
    LabError,
    UsageError,
)
from foundation.state import state_dir
from harness.device.lab import Act
from harness.device.lane_phone import open_phone
from harness.device.preconditions.journal import process_of
from harness.variants.variant import kernels_of
from tests.fake.phone_kernels.bench import BUILD, FOUND, ONE, Bench
from tests.stand_ins.bootloader.phone import OWN, FlashablePhone
from tests.variants import boot_into


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
    with pytest.raises(UsageError, match="needs --allow-flash"):
        open_phone(
            "phone-0",
            serial=bench.serial,
            adb_port=bench.adb.port,
            kernels=kernels_of([bench.ram("one", ONE)]),
        )
    assert phone.changes == []


def test_a_kernel_that_the_lane_was_not_opened_for(bench: Bench) -> None:
    lane = bench.open(FOUND)
    with pytest.raises(UsageError, match="this lane was opened without kernels"):
        boot_into(lane, bench.ram("one", ONE))


def test_a_killed_run_is_not_taken_for_how_the_phone_was_found(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.flash("one", ONE)
    good = bench.good("boot")
    before = dict(phone.bootloader.storage.content)
    lane = bench.open(FOUND, variant, known_good=good)
    boot_into(lane, variant)
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
    boot_into(bench.open(FOUND, variant, known_good=bench.good("boot")), variant)
    bench.lanes.clear()
    with pytest.raises(LabError, match=r"killed run left another kernel on it.*restore --allow-flash"):
        bench.open(FOUND)
    with pytest.raises(UsageError, match=r"has to roll this phone back to .*/good, not to slot"):
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
    assert "needs --allow-flash" in capsys.readouterr().err
    assert phone.kernel == ONE
    assert main([*words, "--allow-flash"]) == 0
    assert f"kernel: {OWN.release}" in capsys.readouterr().out
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.bootloader.storage.content == before
    assert main([*words, "--allow-flash"]) == 0
    assert "nothing was left behind" in capsys.readouterr().out


def test_two_runs_on_one_phone(bench: Bench, phone: FlashablePhone) -> None:
    variant = bench.ram("one", ONE)
    lane = bench.open(FOUND, variant)
    boot_into(lane, variant)
    record = state_dir("phones") / "FAKE0001.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"owner": list(process_of(os.getppid()))}))
    with pytest.raises(
        LabError, match=rf"process {os.getppid()} of this machine boots kernels on phone FAKE0001"
    ):
        bench.open(FOUND, variant)


def test_a_record_that_is_damaged_stops_everything(bench: Bench) -> None:
    (state_dir("phones") / "FAKE0001.json").write_text(json.dumps({"slot": "a"}))
    with pytest.raises(HostError, match=r"the record of phone FAKE0001's original state, cannot be read"):
        bench.open(FOUND, bench.ram("one", ONE))
