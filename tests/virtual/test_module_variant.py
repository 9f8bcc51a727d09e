"""The zram modules of a running kernel, exchanged: on Debian's own kernel, which is configured as GKI is.

zram and zsmalloc are modules of it, with MODULE_UNLOAD, MODVERSIONS and MODULE_SIG. MODULE_SIG_PROTECT is
an option of Android's kernels alone; what comes nearest here is sig_enforce, which also tells modules that
are signed with the kernel's key from others.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foundation.contract.device import Device
from foundation.errors import ModuleLoadFailed, StateError, UsageError
from harness.device.modules.fit import OwnModules, PairFiles
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.zram import ZramPin
from harness.device.preconditions.zram_modules import modules_pin
from harness.virtual.kernels import kcompressd_bundle, stock_bundle
from harness.virtual.kernels.bundles import KernelBundle
from harness.virtual.kernels.debian import MODULE_BASE
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

ROOT = Path(__file__).parents[2]
SIG_ENFORCE = "/sys/module/module/parameters/sig_enforce"
Spoil = Callable[[bytes], bytes]


def file_of(bundle: KernelBundle, name: str) -> Path:
    (path,) = [module.path for module in bundle.modules if module.name == name]
    return path


@functools.cache
def zsmalloc() -> Path:
    return file_of(stock_bundle(MODULE_BASE), "zsmalloc")


@functools.cache
def patched() -> Path:
    return file_of(kcompressd_bundle(MODULE_BASE), "zram")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Debian's kernel with a zram that is swap, and never left in another state by a test."""
    lane = VirtualLane(workdir=tmp_path_factory.mktemp("lane"), base=MODULE_BASE)
    booted = boot_into(lane, virtual_variant("stock=stock", MODULE_BASE))
    ZramPin(64, "lz4").write(booted, "disksize=67108864 algorithm=lz4 swap=7 backing=none")
    yield booted
    lane.close()


@pytest.fixture
def found(device: Device) -> Iterator[Callable[[], str]]:
    """Reads modules and swap; they are the same at the end of the test."""
    pin = modules_pin(device, OwnModules())
    before = pin.read(device)
    assert before.endswith("disks: zram0 disksize=67108864 algorithm=lz4 swap=7 backing=none")
    yield lambda: pin.read(device)
    assert pin.read(device) == before
    assert "reclaim-suite" not in device.shell(["ls", "/data/local/tmp"]).stdout


def spoiled(folder: Path, spoil: Spoil) -> PairFiles:
    path = folder / "zram.ko"
    path.write_bytes(spoil(patched().read_bytes()))
    return PairFiles(zsmalloc(), path)


def kernel_lines(device: Device) -> str:
    return device.shell(["dmesg"]).stdout


def test_a_pair_is_exchanged_under_swap_and_put_back(device: Device, found: Callable[[], str]) -> None:
    before = found()
    with PinnedState(device) as state:
        state.apply([modules_pin(device, PairFiles(zsmalloc(), patched(), "kcompressd_threads=2"))])
        now = found()
        assert now != before
        assert now.partition("disks:")[2] == before.partition("disks:")[2], "swap is on as it was"
        assert device.read_text("/sys/module/zram/parameters/kcompressd_threads").strip() == "2"
        assert "kcompressd:1" in device.script("cat /proc/[0-9]*/stat 2>/dev/null; true").stdout


def test_the_own_pair_is_loaded_again_too(device: Device, found: Callable[[], str]) -> None:
    """Both sides of a comparison pay the exchange."""
    removed = kernel_lines(device).count("zram: Removed device: zram0")
    with PinnedState(device) as state:
        state.apply([modules_pin(device, OwnModules())])
        assert kernel_lines(device).count("zram: Removed device: zram0") == removed + 1
    assert kernel_lines(device).count("zram: Removed device: zram0") == removed + 1, "nothing to put back"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda zram: zram.replace(b" SMP ", b" UPS ", 1), "its vermagic is '6.1"),
        (lambda zram: zram.replace(b"\x3e\x00", b"\xb7\x00", 1), "it is for aarch64"),
    ],
    ids=["vermagic", "architecture"],
)
def test_a_file_that_does_not_fit_is_refused_on_the_host(
    spoil: Spoil, said: str, device: Device, found: Callable[[], str], tmp_path: Path
) -> None:
    log = kernel_lines(device)
    with pytest.raises(UsageError, match=said):
        modules_pin(device, spoiled(tmp_path, spoil))
    assert kernel_lines(device) == log


def test_another_interface_is_refused_on_the_host(
    device: Device, found: Callable[[], str], tmp_path: Path
) -> None:
    """The checksum of a symbol that the device's own module uses as well."""

    def other_checksum(zram: bytes) -> bytes:
        at = zram.index(b"module_layout\0") - 8
        return zram[:at] + bytes([zram[at] ^ 1]) + zram[at + 1 :]

    with pytest.raises(UsageError, match="built against another module_layout"):
        modules_pin(device, spoiled(tmp_path, other_checksum))


def test_a_module_that_the_kernel_refuses_is_a_result(
    device: Device, found: Callable[[], str], tmp_path: Path
) -> None:
    pair = spoiled(tmp_path, lambda zram: zram.replace(b"zs_malloc\0", b"zs_mallox\0"))
    with pytest.raises(ModuleLoadFailed) as caught, PinnedState(device) as state:
        state.apply([modules_pin(device, pair)])
    assert "the kernel says: zram: Unknown symbol zs_mallox (err -2)" in str(caught.value)
    assert "Unknown symbol zs_mallox" in caught.value.log
    assert "\n" not in str(caught.value)


def test_what_holds_zram_is_named_before_anything_is_touched(
    device: Device, found: Callable[[], str]
) -> None:
    holder = device.spawn(["sh", "-c", "exec sleep 1000 < /dev/zram0"])
    try:
        with pytest.raises(StateError, match=r"process \d+ holds /dev/zram0 open") as caught:
            modules_pin(device, PairFiles(zsmalloc(), patched()))
        assert "\n" not in str(caught.value)
        assert "swap=7" in found()
    finally:
        holder.stop()


def test_what_opens_zram_meanwhile_costs_the_block_and_swap_is_on_again(
    device: Device, found: Callable[[], str]
) -> None:
    pin = modules_pin(device, PairFiles(zsmalloc(), patched()))
    holder = device.spawn(["sh", "-c", "exec sleep 1000 < /dev/zram0"])
    try:
        with (
            pytest.raises(StateError, match="holds /dev/zram0 open") as caught,
            PinnedState(device) as state,
        ):
            state.apply([pin])
        assert not hasattr(caught.value, "__notes__"), "the restore succeeded"
        assert "swap=7" in found()
    finally:
        holder.stop()


def test_with_enforced_signatures_only_the_kernels_own_key_counts(
    device: Device, found: Callable[[], str], tmp_path: Path
) -> None:
    """The last test of the boot: sig_enforce cannot be switched off again."""
    device.write_text(SIG_ENFORCE, "1")
    with pytest.raises(StateError, match="signed modules only"):
        modules_pin(device, PairFiles(zsmalloc(), patched()))
    signed = spoiled(tmp_path, lambda zram: zram + b"~Module signature appended~\n")
    with (
        pytest.raises(ModuleLoadFailed, match=r"zram\.ko was refused") as caught,
        PinnedState(device) as state,
    ):
        state.apply([modules_pin(device, signed)])
    assert not hasattr(caught.value, "__notes__"), "the own pair is signed, and back"


def test_a_campaign_of_the_own_pair_and_another(tmp_path: Path) -> None:
    pair = f"zsmalloc={zsmalloc()},zram={patched()},thread=kcompressd:0"
    results = tmp_path / "results"
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "android_tests/test_app_switching.py", "-p", "no:cacheprovider"),
            *("--profile", "smoke", "--pairs", "1", "--reps", "1", "--seed", "4", "--scenario", "idle"),
            *("--virtual-base", str(MODULE_BASE), "--virtual-memory-mb", "288"),
            *("--variant", "own=module:own", "--variant", f"patched=module:{pair}"),
            *("--results", str(results), "--fail-on", "none"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    blocks = [json.loads(path.read_text()) for path in sorted(results.glob("blocks/*/block.json"))]
    assert [block["outcome"] for block in blocks] == ["valid", "valid"], done.stdout
    threads = {block["variant"]: block["identity"]["thread_names"] for block in blocks}
    assert threads == {"own": ["kswapd0"], "patched": ["kcompressd:0", "kswapd0"]}
    assert len({block["identity"]["build_ids"]["zram"] for block in blocks}) == 2
