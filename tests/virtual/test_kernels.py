"""The kernels themselves: their making, and the compression thread at work under pressure.

Every app page that a workload touches is verified, and a mismatch raises DataCorruption:
a cycle that returns has lost no data.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foundation.contract.device import Device
from foundation.errors import UsageError
from harness.device.modules.module_file import read_module
from harness.virtual.kernels import (
    kcompressd_bundle,
    prepare,
    stock_bundle,
    user_bundle,
)
from harness.virtual.kernels.debian import MODULE_BASE, kernels_dir
from harness.virtual.kernels.module_build import HOOK_PATCH, apply_hooks
from harness.virtual.kernels.preparation import pointer_of
from harness.virtual.lane import VirtualLane
from harness.virtual.packages.products import damage, read_pointer
from tests.cycles import cycle, run_ns
from tests.variants import boot_into, virtual_variant
from workloads.app_switching import AppSwitching
from workloads.profile import load_profile
from workloads.switches import CycleResult

# The base whose stock kernel takes the zram module.
BASE = MODULE_BASE
# With less the kernel can stand still: see docs/virtual-device.md, "How much memory".
MEMORY_MB = 288
COUNTERS = "/sys/kernel/zram_kcompressd"
PARAMETERS = "/sys/module/zram/parameters"

PROFILE = """
[device]
zram_mb = 256
zram_algorithm = "{algorithm}"
swappiness = 100
page_cluster = 0

[workload]
order = "fixed"
rounds = 1
dwell_s = 0.0
gap_s = 0.0
seed = 5

[defaults]
anon_mb = 60
hot_share = 0.6
cold_share = 0.1
rewrite_share = 0.3
content = {{ zero = 0.05, same = 0.10, "ratio2.5" = 0.51, random = 0.34 }}
pace_pages = 64
pace_ms = 2
"""
APPS = [f'\n[[apps]]\npackage = "suite.app_{letter}"\n' for letter in "abcd"]


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[VirtualLane]:
    opened = VirtualLane(name="kernels", workdir=tmp_path, base=BASE, memory_mb=MEMORY_MB)
    yield opened
    try:
        console = opened.console()
        assert opened.crash_log() is None
        assert not re.search(r"WARNING: CPU|refcount_t|BUG:|Bad page state|blocked for more than", console)
    finally:
        opened.close()


def boot(lane: VirtualLane, algorithm: str = "lzo-rle", **options: int) -> Device:
    words = ",".join(f"{key}={value}" for key, value in options.items())
    variant = virtual_variant(f"patched=kcompressd:{words}", BASE)
    device = boot_into(lane, variant)
    device.script(
        f"set -e; cd /sys/block/zram0; echo {algorithm} > comp_algorithm; echo 256M > disksize;"
        " mkswap /dev/zram0; swapon /dev/zram0; echo 100 > /proc/sys/vm/swappiness"
    )
    return device


def workload(device: Device, folder: Path) -> AppSwitching:
    path = folder / "pressure.toml"
    path.write_text(PROFILE.format(algorithm="lzo-rle") + "".join(APPS))
    switching = AppSwitching(device, load_profile(str(path)))
    switching.install()
    return switching


def run(device: Device, switching: AppSwitching, cycles: int = 1) -> list[CycleResult]:
    return [switching.prepare(), *(cycle(device, switching) for _ in range(cycles))]


def counters(device: Device) -> dict[str, int]:
    text = device.script(f"cd {COUNTERS} && for name in *; do echo $name $(cat $name); done").stdout
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def set_parameter(device: Device, name: str, value: int) -> None:
    device.write_text(f"{PARAMETERS}/kcompressd_{name}", str(value))


def threads(device: Device) -> set[str]:
    comms = device.script("cat /proc/[0-9]*/comm; true").stdout.split()
    return {comm for comm in comms if comm.startswith("kcompressd")}


def vmstat(device: Device, key: str) -> int:
    lines = (line.split() for line in device.read_text("/proc/vmstat").splitlines())
    return {name: int(value) for name, value in lines}[key]


def nice_of(device: Device, comm: str) -> int:
    """The 19th field of stat; the comm before it has no blank here."""
    (line,) = device.script(f"grep -h '({comm})' /proc/[0-9]*/stat; true").stdout.splitlines()
    return int(line.split()[18])


def wait_for(what: str, device: Device, condition: Callable[[], bool], deadline_s: float = 60.0) -> None:
    for _ in range(int(deadline_s / 0.05)):
        if condition():
            return
        device.sleep(0.05)
    pytest.fail(f"{what}: not within {deadline_s:.0f} s")


def settled(device: Device) -> dict[str, int]:
    """The counters once the queue is empty."""
    wait_for("an empty queue", device, lambda: counters(device)["queued"] == counters(device)["done"])
    return counters(device)


def _home() -> Path:
    key = read_pointer(pointer_of(MODULE_BASE))
    assert key is not None
    return pointer_of(MODULE_BASE).with_name(key)


def test_second_preparation_has_nothing_to_do() -> None:
    prepare(MODULE_BASE)
    said: list[str] = []
    prepare(MODULE_BASE, said.append)
    assert said == []


def test_kernels_differ_in_zram_alone() -> None:
    stock, patched = stock_bundle(MODULE_BASE), kcompressd_bundle(MODULE_BASE)
    assert stock.release == patched.release
    assert stock.image == patched.image
    assert [load.name for load in stock.modules] == [load.name for load in patched.modules]
    differing = {
        one.name
        for one, other in zip(stock.modules, patched.modules, strict=True)
        if one.path != other.path
    }
    assert differing == {"zram"}
    assert stock.build_ids["zram"] != patched.build_ids["zram"]
    assert (stock.compression_thread, patched.compression_thread) == (False, True)
    names = [load.name for load in stock.modules]
    assert {"virtio_net", "lz4", "zstd", "zsmalloc", "zram"} <= set(names)
    for load in stock.modules:
        for needed in read_module(load.path).depends:
            assert names.index(needed.replace("-", "_")) < names.index(load.name)


def test_stock_files_given_as_ones_own_kernel() -> None:
    stock = stock_bundle(MODULE_BASE)
    own = user_bundle(stock.image, stock.modules[0].path.parent)
    assert own.release == stock.release
    assert own.modules == stock.modules
    assert own.build_ids == stock.build_ids


def test_module_is_no_kernel_image() -> None:
    stock = stock_bundle(MODULE_BASE)
    with pytest.raises(UsageError, match="is neither a bzImage"):
        user_bundle(stock.modules[-1].path, stock.image.parent)


def test_every_hook_has_one_place_and_the_patch_applies(tmp_path: Path) -> None:
    kcompressd_bundle(MODULE_BASE)
    source = _home() / "devel" / "zram"
    parts = re.split(r"(?m)^(?=--- a/)", HOOK_PATCH.read_text())[1:]
    assert [part.split()[1] for part in parts] == ["a/Makefile", "a/zram_drv.h", "a/zram_drv.c"]
    for part in parts:
        text = (source / part.split()[1].removeprefix("a/")).read_text()
        for hunk in re.split(r"(?m)^@@ .*\n", part)[1:]:
            before = "".join(line[1:] for line in hunk.splitlines(keepends=True) if line[0] in " -")
            assert text.count(before) == 1, f"more than one place, or none, for:\n{hunk}"
    copy = tmp_path / "zram"
    shutil.copytree(source, copy)
    apply_hooks(copy)
    assert "kcompressd_queue(zram, page, index)" in (copy / "zram_drv.c").read_text()
    assert (copy / "kcompressd.c").exists()
    assert not list(copy.glob("*.rej"))


def test_damaged_module_is_built_again_with_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = kcompressd_bundle(MODULE_BASE).build_ids
    cache = tmp_path / "cache"
    shutil.copytree(kernels_dir(), cache / "kernels", symlinks=True)
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(cache))
    assert damage(_home() / "devel") is None
    zram = kcompressd_bundle(MODULE_BASE).modules[-1].path
    assert zram.is_relative_to(cache)
    content = bytearray(zram.read_bytes())
    content[len(content) // 2] ^= 1
    zram.write_bytes(content)
    said: list[str] = []
    prepare(MODULE_BASE, said.append)
    assert "has a changed zram.ko" in said[0]
    assert kcompressd_bundle(MODULE_BASE).build_ids == expected


def test_thread_compresses_and_can_be_switched_while_swap_is_full(
    lane: VirtualLane, tmp_path: Path
) -> None:
    device = boot(lane)
    switching = workload(device, tmp_path)
    assert threads(device) == {"kcompressd:0"}
    run(device, switching)
    first = settled(device)
    assert first["done"] > 5000
    assert first["same_filled"] > 0
    assert 0 < first["depth_max"] <= 256
    assert first["errors"] == 0
    assert vmstat(device, "pgrotated") > 0

    set_parameter(device, "threads", 0)
    assert threads(device) == set()
    # kswapd may have gone on until the switch: from here on nothing moves any more.
    off = counters(device)
    assert off["queued"] == off["done"]
    swapped = vmstat(device, "pswpout")
    cycle(device, switching)
    assert vmstat(device, "pswpout") > swapped + 5000
    assert counters(device) == off

    set_parameter(device, "threads", 3)
    assert threads(device) == {"kcompressd:0", "kcompressd:1", "kcompressd:2"}
    set_parameter(device, "threads", 1)
    assert threads(device) == {"kcompressd:0"}
    cycle(device, switching)
    assert settled(device)["done"] > off["done"]


def test_short_queue_falls_back_and_loses_nothing(lane: VirtualLane, tmp_path: Path) -> None:
    device = boot(lane, "zstd", threads=2, depth=4)
    run(device, workload(device, tmp_path))
    found = settled(device)
    assert found["fallback_full"] > 0
    assert found["depth_max"] == 4


def test_batched_wake_ups_are_fewer_and_leave_no_page_behind(lane: VirtualLane, tmp_path: Path) -> None:
    device = boot(lane, wake_batch=64, nice=5)
    assert nice_of(device, "kcompressd:0") == 5
    switching = workload(device, tmp_path)
    run(device, switching)
    batched = settled(device)
    assert batched["done"] > 5000
    assert batched["errors"] == 0
    # Each wake-up is for a full batch, or for the tick that ends the wait for one.
    set_parameter(device, "wake_batch", 4096)
    cycle(device, switching)
    assert settled(device)["done"] > batched["done"]


def test_same_filled_pages_do_not_travel(lane: VirtualLane, tmp_path: Path) -> None:
    device = boot(lane, same_filled_direct=1)
    run(device, workload(device, tmp_path))
    found = settled(device)
    assert found["done"] > 5000
    assert found["same_filled_direct"] > 500
    assert found["same_filled"] == 0


def test_failed_writes_lose_nothing(lane: VirtualLane, tmp_path: Path) -> None:
    device = boot(lane, "lz4", fail_every=7)
    run(device, workload(device, tmp_path))
    found = settled(device)
    assert found["errors"] == found["done"] // 7 > 100
    assert "Write-error on swap-device" in lane.console()


def test_threads_and_depth_change_all_the_time(lane: VirtualLane, tmp_path: Path) -> None:
    # Slow threads: so that there is a queue to be left behind.
    device = boot(lane, delay_us=100)
    switching = workload(device, tmp_path)
    changes = (
        f"cd {PARAMETERS}; while :; do"
        " for n in 3 1 4 2 0; do echo $n > kcompressd_threads; usleep 20000; done;"
        # Without threads nothing may be left in the queue.
        f" queued=$(cat {COUNTERS}/queued); [ $(cat {COUNTERS}/done) -ge $queued ] || exit 9;"
        " for n in 1 4096 7 256; do echo $n > kcompressd_depth; usleep 10000; done; done"
    )
    changing = device.spawn(["sh", "-c", changes])
    run(device, switching)
    assert changing.poll() is None
    changing.stop()
    set_parameter(device, "threads", 1)
    assert settled(device)["done"] > 0
    assert threads(device) == {"kcompressd:0"}


def test_swapoff_waits_for_a_filled_queue_and_the_module_leaves_nothing(
    lane: VirtualLane, tmp_path: Path
) -> None:
    device = boot(lane, depth=2000)
    switching = workload(device, tmp_path)
    switching.prepare()
    # A slow thread, and more pressure than it can follow.
    set_parameter(device, "delay_us", 2000)
    filling = device.spawn(["am", "start", "-W", "-n", "suite.app_a/.Main"])

    def waiting() -> int:
        found = counters(device)
        return found["queued"] - found["done"]

    wait_for("a filled queue", device, lambda: waiting() > 300)
    filling.stop()
    for letter in "bcd":
        device.shell(["am", "force-stop", f"suite.app_{letter}"])
    assert waiting() > 0
    device.shell(["swapoff", "/dev/zram0"], deadline_s=60)
    assert waiting() == 0
    device.write_text("/sys/block/zram0/reset", "1")
    set_parameter(device, "delay_us", 0)
    # Its memory has survived the way back from swap.
    device.shell(["am", "start", "-W", "-n", "suite.app_a/.Main"], deadline_s=120)
    log = device.read_text("/data/app/suite.app_a/app.log")
    assert '"event"' in log
    assert '"mismatches":0' in log.replace(" ", "")

    device.shell(["rmmod", "zram"])
    assert threads(device) == set()
    assert device.script(f"test -e {COUNTERS} -o -e /sys/block/zram0", check=False).exit_status == 1


def test_delay_makes_page_writes_dearer_with_or_without_a_thread(lane: VirtualLane, tmp_path: Path) -> None:
    device = boot(lane, threads=0)
    switching = workload(device, tmp_path)

    def kswapd_ns_a_page() -> float:
        def now() -> tuple[int, int]:
            return run_ns(device, "kswapd0"), vmstat(device, "pswpout")

        ns, pages = now()
        cycle(device, switching)
        ns_after, pages_after = now()
        return (ns_after - ns) / (pages_after - pages)

    switching.prepare()
    plain = kswapd_ns_a_page()
    set_parameter(device, "delay_us", 200)
    # Some pages are written by direct reclaim, whose CPU time is the app's.
    assert kswapd_ns_a_page() > plain + 50_000


def test_values_out_of_range_are_refused(lane: VirtualLane) -> None:
    device = boot_into(lane, virtual_variant("patched=kcompressd", BASE))
    before = device.script(f"grep . {PARAMETERS}/*").stdout
    for name, value in (
        ("threads", "5"),
        ("threads", "x"),
        ("depth", "0"),
        ("depth", "4097"),
        ("delay_us", "10001"),
        ("fail_every", "-1"),
        ("wake_batch", "0"),
        ("wake_batch", "4097"),
        ("nice", "20"),
        ("nice", "-21"),
    ):
        assert device.script(f"echo {value} > {PARAMETERS}/kcompressd_{name}", check=False).exit_status != 0
    assert device.script(f"grep . {PARAMETERS}/*").stdout == before
