"""Campaigns of kernels on a fake phone, as a user types them: whole, broken, interrupted, resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.device.adb.adb_server import AdbServer
from harness.device.fastboot import pending_restore
from tests.fake.campaign.unshown import unshown
from tests.stand_ins.bootloader.images import FakeKernel, boot_image
from tests.stand_ins.bootloader.measuring import MeasuredPhone
from tests.stand_ins.bootloader.phone import OWN, PANIC, FlashablePhone

ROOT = Path(__file__).parents[3]
ONE = FakeKernel("6.6.30-one", build_id="11" * 20)
TWO = FakeKernel("6.6.30-two", build_id="22" * 20)

PROFILE = """
[device]
zram_mb = 64
zram_algorithm = "lzo-rle"
swappiness = 100
page_cluster = 0

[eater]
mb = 1
content = { zero = 1.0 }
rate_mb_s = 0
touches = 0
rewrite_share = 0.0
seed = 1
"""


class Desk:
    """A phone on which a campaign can run, and the command that runs it."""

    def __init__(self, adb: AdbServer, phone: FlashablePhone, folder: Path) -> None:
        self.phone, self.folder = phone, folder
        self.measured = MeasuredPhone(phone, folder)
        self.serial = adb.connect(phone.android.serial)
        self.results = folder / "results"
        (folder / "profile.toml").write_text(PROFILE)
        (folder / "lab.toml").write_text(
            f'[[device]]\nserial = "{self.serial}"\nmodel = "Fake"\n'
            'build = "fake/fakephone/fakephone:15/AP1A/1:userdebug/dev-keys"\n'
            'allow = ["fastboot-boot", "flash", "reboot-bootloader"]\n'
        )
        self.words = [
            *(sys.executable, "-m", "pytest", "android_tests/test_throughput.py", "-p", "no:cacheprovider"),
            *("--device=phone", "--adb-port", str(adb.port), "--serial", self.serial),
            *("--fastboot-serial", phone.bootloader.address, "--lab", str(folder / "lab.toml")),
            *("--profile", str(folder / "profile.toml"), "--pairs", "1", "--reps", "1", "--seed", "1"),
            *("--scenario", "idle", "--results", str(self.results), "--allow-flash"),
            *("--boot-deadline-s", "5"),
            # A bootloader and a kernel are all that this phone has of Android.
            *("--suppress", "airplane,animations,battery,brightness,doze,rotation,screen,thermal"),
            *("--suppress", "compaction,freezer"),
        ]

    def image(self, name: str, kernel: FakeKernel) -> str:
        path = self.folder / f"{name}.img"
        path.write_bytes(boot_image(kernel))
        return f"{name}=boot:image={path}"

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.words, *more], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.words, *more], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def blocks(self) -> dict[str, dict[str, Any]]:
        """``block.json`` by variant."""
        found = [json.loads(path.read_text()) for path in self.results.glob("blocks/*/block.json")]
        return {block["variant"]: block for block in found}

    def campaign(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.results / "campaign.json").read_text())
        return content


@pytest.fixture
def desk(adb: AdbServer, tmp_path: Path) -> Iterator[Desk]:
    with FlashablePhone() as phone:
        # The record of what is owed lies in the user's cache: one of its own for each test.
        phone.bootloader.serial = f"FAKE-{uuid.uuid4().hex[:12]}"
        phone.android.properties["ro.serialno"] = phone.bootloader.serial
        made = Desk(adb, phone, tmp_path)
        yield made
        pending_restore.clear(phone.bootloader.serial)
        adb.disconnect(made.serial)


def test_two_kernels_from_memory(desk: Desk) -> None:
    two = f"{desk.image('two', TWO)},zram=same"
    variants = ["--variant", desk.image("one", ONE), "--variant", two]
    shown = desk.run(*variants, "--dry-run", "-v").stdout
    done = desk.run(*variants)
    assert done.returncode == 0, done.stdout + done.stderr
    assert unshown(desk.phone.android, shown) == []
    assert "Sending 'boot.img'" in done.stdout
    blocks = desk.blocks()
    for name, kernel in (("one", ONE), ("two", TWO)):
        assert blocks[name]["outcome"] == "valid", blocks[name]
        assert blocks[name]["identity"]["release"] == kernel.release
        zram = blocks[name]["identity"]["zram"]
        assert (zram["form"], sorted(zram["modules"])) == ("module", ["zram", "zsmalloc"])
        assert blocks[name]["identity"]["build_ids"] == {"vmlinux": kernel.build_id}
    campaign = desk.campaign()
    hashes = [variant["images"]["boot"] for variant in campaign["variants"]]
    assert len(set(hashes)) == 2
    (lane,) = campaign["lanes"].values()
    assert lane["kernel_one"].startswith(ONE.release)
    assert (lane["slot_found"], lane["verified_boot"]) == ("a", "orange")
    assert (desk.results / "report.html").exists()
    phone = desk.phone
    assert desk.measured.cycles == 4, "a warm-up and a repetition in each block"
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.bootloader.storage.writes == []
    assert phone.android.files.read("/proc/sys/vm/swappiness").strip() == b"60"
    assert pending_restore.load(phone.bootloader.serial) is None


def test_a_patched_kernel_whose_zram_would_be_the_phones_own_is_refused_before_anything_is_booted(
    desk: Desk,
) -> None:
    done = desk.run("--variant", desk.image("one", ONE), "--variant", desk.image("two", TWO))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert (
        "boot: brings no zram.ko, and 'one' and 'two' compress with the same zram: zram (srcversion" in said
    )
    assert "two=boot:...,zram=same" in said
    assert "Traceback" not in said
    assert desk.phone.bootloader.commands == []
    assert desk.phone.changes == []


def test_kernels_are_not_compared_while_zram_compresses_in_hardware(desk: Desk) -> None:
    desk.phone.android.zram.algorithms += ("lz77eh",)
    (desk.folder / "profile.toml").write_text(PROFILE.replace("lzo-rle", "lz77eh"))
    two = f"{desk.image('two', TWO)},zram=same"
    done = desk.run("--variant", desk.image("one", ONE), "--variant", two)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "zram compresses in hardware, with lz77eh (Emerald Hill" in said
    assert 'zram_algorithm = "lz4"' in said
    assert "Traceback" not in said
    assert desk.phone.changes == []


def test_a_flashed_kernel_beside_the_same_zram_is_refused_at_its_first_block(desk: Desk) -> None:
    phone = desk.phone
    for name, content in (("good", phone.flashed("boot_b")), ("set", boot_image(ONE))):
        (desk.folder / name).mkdir()
        (desk.folder / name / "boot.img").write_bytes(content)
        (desk.folder / name / "images.toml").write_text('product = "fakephone"\n')
    words = ["--variant", "found=as-is", "--variant", f"one=flash:set={desk.folder}/set,zram=own"]
    done = desk.run(*words, "--known-good", str(desk.folder / "good"))
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "'found' and 'one' compress with the same zram: zram (srcversion" in said
    assert len(desk.blocks()) == 1, "the second block was not measured"
    assert (phone.kernel, phone.running_slot) == (OWN, "a")


def test_a_thread_that_never_runs_is_another_kernel(desk: Desk) -> None:
    variant = f"{desk.image('two', TWO)},thread=kcompressd0"
    done = desk.run("--variant", desk.image("one", ONE), "--variant", variant)
    assert done.returncode == 1, done.stdout + done.stderr
    failure = desk.blocks()["two"]["failure"]
    assert "WrongKernel: " in failure
    assert "no thread kcompressd0 runs after the warm-up (threads seen: kswapd0)" in failure


def test_a_kernel_that_does_not_boot_is_a_result_and_the_rest_is_measured(desk: Desk) -> None:
    good = desk.image("one", ONE)
    broken = desk.image("broken", FakeKernel("6.6.30-broken", fate="panics"))
    done = desk.run("--variant", good, "--variant", f"{broken},zram=same")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    blocks = desk.blocks()
    assert blocks["one"]["outcome"] == "valid"
    assert blocks["broken"]["outcome"] == "kernel_failure"
    assert blocks["broken"]["failure"].startswith("BootFailed: ")
    assert (
        "'broken' was booted from memory, but it is back on its original kernel"
        in blocks["broken"]["failure"]
    )
    (log,) = desk.results.glob("blocks/*broken*/kernel.log")
    assert PANIC in log.read_text()
    assert f"boot {desk.folder}/broken.img" in log.read_text()
    assert desk.phone.bootloader.commands.count("boot") == 2, "the broken one was tried once"
    assert desk.phone.kernel == OWN


def test_ctrl_c_puts_a_flashed_phone_back(desk: Desk) -> None:
    phone = desk.phone
    before = dict(phone.bootloader.storage.content)
    for name, content in (("good", phone.flashed("boot_b")), ("set", boot_image(ONE))):
        (desk.folder / name).mkdir()
        (desk.folder / name / "boot.img").write_bytes(content)
        (desk.folder / name / "images.toml").write_text('product = "fakephone"\n')
    words = ["--variant", f"one=flash:set={desk.folder}/set", "--variant", "found=as-is"]
    run = desk.start(*words, "--known-good", str(desk.folder / "good"))
    limit = time.monotonic() + 60
    while not (desk.measured.cycles and phone.kernel == ONE):
        assert time.monotonic() < limit
        assert run.poll() is None
        time.sleep(0.05)
    assert phone.running_slot == "b"
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 2, output
    assert (phone.kernel, phone.running_slot) == (OWN, "a")
    assert phone.bootloader.storage.content == before
    assert pending_restore.load(phone.bootloader.serial) is None
