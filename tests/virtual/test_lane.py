"""The lane: variants that boot, are proved, crash, and leave nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.errors import (
    BootFailed,
    DeviceLost,
    HostError,
    KernelCrash,
    ModuleLoadFailed,
    SuiteError,
    UsageError,
    WrongKernel,
)
from harness.device.identity import prove, read_identity
from harness.device.modules.module_file import module_bytes
from harness.variants.command import main
from harness.variants.kind import Bindings
from harness.variants.kinds import stock
from harness.variants.variant import parse_variant
from harness.virtual import kernels
from harness.virtual.base import DEFAULT_BASE, parse_base
from harness.virtual.initramfs import build_initramfs
from harness.virtual.kernels import KernelBundle, ModuleLoad, stock_bundle
from harness.virtual.kernels.debian import MODULE_BASE
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

STOCK = virtual_variant("baseline=stock")


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[VirtualLane]:
    opened = VirtualLane(workdir=tmp_path)
    yield opened
    opened.close()


def wait_until_ended(lane: VirtualLane) -> None:
    for _ in range(200):
        if not lane.is_running():
            return
        time.sleep(0.1)
    pytest.fail("the machine still runs")


def test_variants_one_after_the_other_are_what_they_should_be(tmp_path: Path) -> None:
    stock = virtual_variant("baseline=stock", MODULE_BASE)
    patched = virtual_variant("patched=kcompressd:threads=2,depth=64", MODULE_BASE)
    lane = VirtualLane(workdir=tmp_path, base=MODULE_BASE)
    try:
        for variant, other in ((stock, patched), (patched, stock), (stock, patched)):
            device = boot_into(lane, variant)
            identity = read_identity(device, variant.expectation(lane))
            prove(identity, variant.expectation(lane))
            with_thread = any(name.startswith("kcompressd") for name in identity.thread_names)
            assert with_thread == (variant is patched)
            with pytest.raises(WrongKernel):
                prove(read_identity(device, other.expectation(lane)), other.expectation(lane))
            assert lane.crash_log() is None
            used = lane.device_cpu_s()
            assert used is not None
            assert used > 0
    finally:
        lane.close()


def test_pages_of_16_kib_are_proved_and_a_kernel_of_other_pages_is_refused(tmp_path: Path) -> None:
    base = parse_base("6.12-arm64-16k")
    variant = virtual_variant("baseline=stock", base)
    lane = VirtualLane(workdir=tmp_path, base=base)
    try:
        device = boot_into(lane, variant)
        expectation = variant.expectation(lane)
        identity = read_identity(device, expectation)
        assert (expectation.page_size_bytes, identity.page_size_bytes) == (16384, 16384)
        prove(identity, expectation)
        with pytest.raises(WrongKernel, match="page size is 16384 bytes, expected 4096 bytes"):
            prove(identity, replace(expectation, page_size_bytes=4096))
        with pytest.raises(UsageError, match=r"is for 6\.12-arm64, the device for 6.12-arm64-16k"):
            boot_into(lane, STOCK)
    finally:
        lane.close()


def test_a_panic_is_a_result_with_its_log(lane: VirtualLane) -> None:
    device = boot_into(lane, STOCK)
    lane.check_alive()
    with pytest.raises(SuiteError) as lost:
        device.script("echo c > /proc/sysrq-trigger", deadline_s=20)
    assert isinstance(lost.value, DeviceLost)
    wait_until_ended(lane)
    with pytest.raises(KernelCrash, match=r"panic: .*sysrq triggered crash") as caught:
        lane.check_alive()
    assert caught.value.blame == "kernel"
    assert not caught.value.transient
    assert "Call trace:" in caught.value.log
    assert lane.crash_log() == caught.value.log
    # The next block boots as if nothing had been.
    boot_into(lane, STOCK)
    assert lane.crash_log() is None
    assert "Kernel panic" not in lane.console()


def test_a_reboot_from_inside_ends_the_machine_and_is_no_crash(lane: VirtualLane) -> None:
    device = boot_into(lane, STOCK)
    with pytest.raises(DeviceLost):
        device.script("reboot; sleep 30", deadline_s=20)
    wait_until_ended(lane)
    assert lane.crash_log() is None
    lane.check_alive()
    with pytest.raises(DeviceLost):
        device.script("echo there", deadline_s=5)


def test_a_kernel_without_init_fails_to_boot_with_its_log(
    lane: VirtualLane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.cpio"
    empty.write_bytes(b"")
    monkeypatch.setattr("harness.virtual.lane.build_initramfs", lambda bundle, **_: empty)
    with pytest.raises(BootFailed, match="crashed during boot") as caught:
        boot_into(lane, STOCK)
    assert "Kernel panic - not syncing" in caught.value.log
    assert "Kernel panic - not syncing" in lane.console()
    monkeypatch.undo()
    boot_into(lane, STOCK)


def test_a_boot_that_takes_too_long(tmp_path: Path) -> None:
    hasty = VirtualLane(workdir=tmp_path, boot_deadline_s=0.5)
    try:
        with pytest.raises(BootFailed, match="deadline"):
            boot_into(hasty, STOCK)
        assert not hasty.is_running()
    finally:
        hasty.close()


def unsigned(module: bytes) -> bytes:
    """The module without its signature, whose length stands before the closing mark."""
    mark = b"~Module signature appended~\n"
    if not module.endswith(mark):
        return module
    body = module[: -len(mark)]
    return body[: -12 - int.from_bytes(body[-4:], "big")]


def spoiled(bundle: KernelBundle, folder: Path) -> KernelBundle:
    """The bundle with a zram that claims to be of another kernel configuration."""
    zram = next(module for module in bundle.modules if module.name == "zram")
    content = unsigned(module_bytes(zram.path))
    # A module with symbol versions may be of another release, but not of another configuration.
    wrong = content.replace(b" SMP mod_unload", b" UP  mod_unload")
    assert wrong != content
    path = folder / "zram.ko"
    path.write_bytes(wrong)
    modules = tuple(ModuleLoad(path, "zram") if m is zram else m for m in bundle.modules)
    return replace(bundle, modules=modules, build_ids={})


def test_a_module_of_another_kernel_is_refused_by_name(
    lane: VirtualLane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = spoiled(stock_bundle(DEFAULT_BASE), tmp_path)
    monkeypatch.setattr(stock, "stock_bundle", lambda base: bundle)
    with pytest.raises(ModuleLoadFailed) as caught:
        boot_into(lane, STOCK)
    assert caught.value.what.startswith(
        "the kernel refused module zram: Invalid module format (kernel log: "
    )
    assert "version magic" in caught.value.what
    assert caught.value.blame == "kernel"


def test_a_missing_dependency_is_named(lane: VirtualLane, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = stock_bundle(DEFAULT_BASE)
    modules = tuple(module for module in bundle.modules if module.name != "zsmalloc")
    bundle = replace(bundle, modules=modules, build_ids={})
    monkeypatch.setattr(stock, "stock_bundle", lambda base: bundle)
    with pytest.raises(ModuleLoadFailed, match="the kernel refused module zram: Unknown symbol"):
        boot_into(lane, STOCK)


def test_a_users_kernel(tmp_path: Path) -> None:
    bundle = stock_bundle(DEFAULT_BASE)
    modules = tmp_path / "modules"
    modules.mkdir()
    for module in bundle.modules:
        (modules / f"{module.name}.ko").symlink_to(module.path)
    bindings = Bindings(kernel=(bundle.image, modules))
    own = parse_variant("baseline=stock", device_kind="virtual", bindings=bindings)
    lane = VirtualLane(workdir=tmp_path / "work")
    try:
        expected = own.expectation(lane)
        assert (expected.release, expected.compression_thread) == (bundle.release, None)
        prove(read_identity(boot_into(lane, own), expected), expected)
    finally:
        lane.close()
    typed = virtual_variant(f"mine=kernel:image={bundle.image},modules={modules}")
    assert typed.expectation(lane).release == bundle.release


def test_an_image_that_is_none(tmp_path: Path, lane: VirtualLane) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(b"no kernel")
    with pytest.raises(UsageError, match="bzImage"):
        boot_into(lane, virtual_variant(f"mine=kernel:image={image},modules={tmp_path}"))


def test_too_much_memory_is_the_hosts_error(tmp_path: Path) -> None:
    lane = VirtualLane(memory_mb=1_000_000, workdir=tmp_path)
    try:
        with pytest.raises(HostError, match="QEMU ended"):
            boot_into(lane, STOCK)
    finally:
        lane.close()


def test_two_lanes_at_once(tmp_path: Path, lane: VirtualLane) -> None:
    other = VirtualLane(name="virtual-1", workdir=tmp_path / "other", cpus=2, memory_mb=192)
    try:
        first, second = boot_into(lane, STOCK), boot_into(other, STOCK)
        assert first.serial != second.serial
        assert first.shell(["nproc"]).stdout == "1\n"
        assert second.shell(["nproc"]).stdout == "2\n"
    finally:
        other.close()
    assert first.script("echo still").stdout == "still\n"


def test_facts_and_an_end_that_leaves_nothing(lane: VirtualLane) -> None:
    boot_into(lane, STOCK)
    facts = lane.describe()
    assert facts["emulated"] == "true"
    assert (facts["accelerator"], facts["clock"]) == ("tcg", "instructions")
    assert facts["accelerator_reason"]
    assert (facts["cpus"], facts["memory_mb"]) == ("1", "256")
    assert (facts["base"], facts["page_kb"]) == ("6.12-arm64", "4")
    assert {"adbd", "perfetto", "mksh", "toybox"} <= {
        package.split()[0] for package in facts["packages"].split("; ")
    }
    machine = lane._machine
    assert machine is not None
    assert machine._process is not None
    pid = machine._process.pid
    lane.close()
    lane.close()
    assert not Path(f"/proc/{pid}").exists()
    assert lane.console() != ""


def test_the_command_boots_and_ends_with_sigterm(tmp_path: Path) -> None:
    root = Path(kernels.__file__).parents[3]
    command = [sys.executable, "-m", "android_tests.virtual", "boot", "--workdir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert " is up after " in line
        assert line.startswith("127.0.0.1:")
        running.terminate()
        assert running.wait(30) == 0
    port = line.split()[0].partition(":")[2]
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(port)))


def test_prepare_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--base", "6.1-amd64", "--base", "6.12-arm64"]) == 0
    said = capsys.readouterr().out
    for base, arch in (("6.1-amd64", "amd64"), ("6.12-arm64", "arm64")):
        assert f"{base}: Debian's kernel {base.partition('-')[0]}." in said
        assert f"the guest's programs for {arch}: " in said
        assert f"{base}: initramfs " in said


def test_the_same_kernel_has_the_same_root_file_system() -> None:
    assert build_initramfs(stock_bundle(DEFAULT_BASE)) == build_initramfs(stock_bundle(DEFAULT_BASE))
