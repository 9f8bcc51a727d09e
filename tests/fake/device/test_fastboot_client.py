"""The real fastboot client against the fake bootloader: its output, and what the suite makes of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import CommandFailed, CommandTimeout, DeviceError, DeviceLost, HostError
from harness.device.fastboot import client
from harness.device.fastboot.client import Fastboot
from tests.stand_ins.bootloader.daemon import Bootloader
from tests.stand_ins.bootloader.images import FakeKernel, boot_image


@pytest.fixture
def bootloader() -> Iterator[Bootloader]:
    made = Bootloader()
    made.on_leave = lambda leave: None if leave.to == "android" else made.start(leave.to)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def fastboot(bootloader: Bootloader) -> Fastboot:
    return Fastboot(bootloader.address)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "boot.img"
    path.write_bytes(boot_image(FakeKernel("6.6.1")))
    return path


def test_variables(fastboot: Fastboot) -> None:
    assert fastboot.getvar("product") == "fakephone"
    assert fastboot.getvar("nosuch") is None
    everything = fastboot.getvar_all()
    assert everything["partition-size:boot_b"] == "0x800000"
    assert everything["slot-retry-count:a"] == "3"
    assert everything["has-slot:init_boot"] == "yes"
    assert fastboot.version().startswith(("2", "3"))
    assert fastboot.present()


def test_an_image_is_sent_and_written(fastboot: Fastboot, bootloader: Bootloader, image: Path) -> None:
    steps: list[str] = []
    Fastboot(bootloader.address, say=steps.append).flash("boot_b", image)
    assert bootloader.storage.content["boot_b"] == image.read_bytes()
    assert [step.split()[0] for step in steps] == ["Sending", "Writing"]


def test_an_image_that_is_larger_than_a_download(
    fastboot: Fastboot, bootloader: Bootloader, tmp_path: Path
) -> None:
    bootloader.max_download = 1 << 20
    large = tmp_path / "large.img"
    large.write_bytes(os.urandom(3 << 20))
    steps: list[str] = []
    Fastboot(bootloader.address, say=steps.append).flash("boot_a", large)
    assert bootloader.storage.content["boot_a"] == large.read_bytes()
    assert "Sending sparse 'boot_a' 2/4 (1020 KB)" in steps
    with pytest.raises(CommandFailed, match=r"'fastboot boot .*refused by the device: data too large"):
        fastboot.boot(large)


def test_slots(fastboot: Fastboot, bootloader: Bootloader) -> None:
    fastboot.set_active("b")
    assert bootloader.storage.active == "b"
    with pytest.raises(CommandFailed, match="Slot c does not exist"):
        fastboot.set_active("c")
    bootloader.faults.forgets_set_active = True
    with pytest.raises(DeviceError, match="slot a was set active, but current-slot is b"):
        fastboot.set_active("a")


def test_fastbootd_and_back(fastboot: Fastboot, bootloader: Bootloader, tmp_path: Path) -> None:
    modules = tmp_path / "vendor_dlkm.img"
    modules.write_bytes(b"m" * 5000)
    with pytest.raises(CommandFailed, match="not found"):
        fastboot.flash("vendor_dlkm_a", modules)
    fastboot.reboot("fastbootd")
    fastboot.await_place("fastbootd", deadline_s=5)
    with pytest.raises(DeviceError, match="was rebooted into bootloader, but is in fastbootd"):
        fastboot.await_place("bootloader", deadline_s=1)
    fastboot.flash("vendor_dlkm_a", modules)
    assert bootloader.storage.content["vendor_dlkm_a"] == modules.read_bytes()
    assert bootloader.storage.sizes["vendor_dlkm_a"] == 5000
    fastboot.reboot("bootloader")
    fastboot.await_place("bootloader", deadline_s=5)


def test_no_room_in_super(fastboot: Fastboot, bootloader: Bootloader, tmp_path: Path) -> None:
    bootloader.start()
    bootloader.mode = "fastbootd"
    modules = tmp_path / "vendor_dlkm.img"
    modules.write_bytes(b"m" * (15 << 20))
    with pytest.raises(CommandFailed, match="Not enough space to resize partition"):
        fastboot.flash("vendor_dlkm_a", modules)


@pytest.mark.parametrize("command", ["flash:boot_a", "download:"])
def test_a_refusal_keeps_the_words_of_the_device(
    fastboot: Fastboot, bootloader: Bootloader, image: Path, command: str
) -> None:
    bootloader.faults.fail = {command: "Write Protected"}
    with pytest.raises(CommandFailed, match=r"refused by the device: Write Protected") as caught:
        fastboot.flash("boot_a", image)
    assert caught.value.exit_status == 1
    assert "Sending 'boot_a'" in caught.value.stdout


def test_a_locked_bootloader(fastboot: Fastboot, bootloader: Bootloader, image: Path) -> None:
    bootloader.unlocked = False
    with pytest.raises(CommandFailed, match="boot is not allowed in locked state"):
        fastboot.boot(image)
    assert fastboot.getvar("unlocked") == "no"


def test_a_cut_connection_is_a_lost_device(fastboot: Fastboot, bootloader: Bootloader, image: Path) -> None:
    """Version 29 of the client would turn on the spot for ever."""
    bootloader.faults.drop_at = "flash:"
    with pytest.raises(DeviceLost, match="disconnected during 'fastboot flash boot_a"):
        fastboot.flash("boot_a", image)
    bootloader.faults.drop_in_download_after = 1
    with pytest.raises(DeviceLost, match="disconnected"):
        fastboot.boot(image)
    assert fastboot.present()


def test_a_client_that_a_closed_socket_kills_is_a_lost_device(tmp_path: Path) -> None:
    program = tmp_path / "fastboot"
    program.write_text("#!/bin/sh\nkill -PIPE $$\n")
    program.chmod(0o755)
    with pytest.raises(DeviceLost, match="the link broke during 'fastboot getvar product'"):
        Fastboot("tcp:127.0.0.1:1", program=program).getvar("product")


def test_a_bootloader_that_is_not_there(fastboot: Fastboot, bootloader: Bootloader) -> None:
    bootloader.stop()
    with pytest.raises(DeviceLost, match=r"no bootloader answers within 0.5 s"):
        fastboot.run(["getvar", "product"], appear_s=0.5)
    assert not fastboot.present()
    with pytest.raises(DeviceLost, match="no bootloader answers"):
        fastboot.await_place("bootloader", deadline_s=0.5)


def test_a_bootloader_that_does_not_answer_in_time(
    fastboot: Fastboot, bootloader: Bootloader, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootloader.faults.delay_s, bootloader.faults.delay_at = 3.0, "flash:"
    monkeypatch.setattr(client, "WRITE_DEADLINE_S", 0.8)
    with pytest.raises(CommandTimeout, match=r"did not end within 0.8 s: .*Writing 'boot_a'"):
        fastboot.flash("boot_a", image)


def test_no_client(bootloader: Bootloader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="no fastboot on this machine"):
        Fastboot(bootloader.address).version()


def test_an_unknown_word(fastboot: Fastboot) -> None:
    with pytest.raises(CommandFailed, match="unknown command bogus"):
        fastboot.run(["bogus"])
