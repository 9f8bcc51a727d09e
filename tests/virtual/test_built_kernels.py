"""Whole kernels, built from source: booted, proved live, and under pressure.

What the cache lacks is built: some minutes for the first kernel of a base, then seconds for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analysis.metrics import all_metrics, needs_of
from foundation.contract.device import Device
from foundation.errors import UsageError, WrongKernel
from harness.capture import Capture, reserve_buffer
from harness.device.identity import counter_moved, prove, read_identity
from harness.device.preconditions.memory_pins import pins_for
from harness.device.preconditions.pinned import PinnedState
from harness.virtual.base import DEFAULT_BASE, Base
from harness.virtual.kernels.built import built_bundle, is_built, patched_bundle, read_patch
from harness.virtual.kernels.built.source import builds_dir, known_source
from harness.virtual.lane import VirtualLane
from tests.cycles import cycle, run_ns
from tests.variants import boot_into, virtual_variant
from workloads.app_switching import AppSwitching
from workloads.order import printed
from workloads.profile import load_profile

COUNTERS = "/sys/kernel/mm/kcompressd"
SWITCHES = "/sys/module/kcompressd/parameters"
BASES = [DEFAULT_BASE]

# A user's patch: one mail, one file.
MARK = """\
From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001
From: A Developer <a@example.org>
Subject: [PATCH] mm: say hello

---
 mm/page_io.c | 4 ++++
--- a/mm/page_io.c
+++ b/mm/page_io.c
@@ -26,6 +26,10 @@
 #include <linux/delayacct.h>
 #include <linux/zswap.h>
 #include "swap.h"
+#include <linux/moduleparam.h>
+
+static int suite_hello = 42;
+core_param(suite_hello, suite_hello, int, 0444);
\x20
 static void __end_swap_bio_write(struct bio *bio)
 {
--\x20
2.39.5
"""


@pytest.fixture(params=BASES, ids=str)
def base(request: pytest.FixtureRequest) -> Base:
    made: Base = request.param
    return made


@pytest.fixture
def lane(request: pytest.FixtureRequest, base: Base, tmp_path: Path) -> Iterator[VirtualLane]:
    # With 228 MB the smoke profile's apps nearly fit from the second cycle on (1,577 to 11,520
    # pages swapped out a cycle); with 208 each cycle swaps some 33,000.
    memory_mb = getattr(request, "param", 208)
    opened = VirtualLane(name="built", memory_mb=memory_mb, workdir=tmp_path / "lane", base=base)
    yield opened
    try:
        console = opened.console()
        assert opened.crash_log() is None
        assert not re.search(r"WARNING: CPU|refcount_t|BUG:|Bad page state|blocked for more than", console)
    finally:
        opened.close()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    path = tmp_path / "hello.patch"
    path.write_text(MARK)
    return path


@contextmanager
def smoke(device: Device) -> Iterator[AppSwitching]:
    """Four apps that do not fit into memory; a page that comes back changed raises DataCorruption."""
    profile = load_profile("smoke")
    with PinnedState(device) as state:
        state.apply(pins_for(profile.device))
        switching = AppSwitching(device, profile)
        switching.install()
        switching.prepare()
        yield switching
        switching.remove()


def vmstat(device: Device, key: str) -> int:
    lines = (line.split() for line in device.read_text("/proc/vmstat").splitlines())
    return {name: int(value) for name, value in lines}[key]


def counters(device: Device) -> dict[str, int]:
    text = device.script(f"cd {COUNTERS} && for name in *; do echo $name $(cat $name); done").stdout
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


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


# One cycle, and the trace buffers need memory of their own.
@pytest.mark.parametrize("lane", [228], indirect=True)
def test_the_kernel_without_a_patch_is_a_whole_virtual_device(
    lane: VirtualLane, base: Base, tmp_path: Path
) -> None:
    variant = virtual_variant("baseline=built", base)
    device = boot_into(lane, variant)
    expectation = variant.expectation(lane)
    identity = read_identity(device, expectation)
    prove(identity, expectation)
    assert re.fullmatch(r"6\.12\.\d+-suite-[0-9a-f]{8}", identity.release)
    assert identity.modules == ()
    assert identity.thread_names == ("kswapd0",)
    device.script(
        "grep -q lz4 /sys/block/zram0/comp_algorithm && grep -q zstd /sys/block/zram0/comp_algorithm"
    )
    # The third bit is for x86, whose page tables note accesses above their last level.
    has_mglru = "0x0003" if base.arch == "aarch64" else "0x0007"
    assert device.read_text("/sys/kernel/mm/lru_gen/enabled").strip() == has_mglru
    needs = needs_of(all_metrics())
    with reserve_buffer(device, needs, device.sleep) as reservation, smoke(device) as switching:
        (tmp_path / "rep").mkdir()
        capture = Capture(device, needs, tmp_path / "rep", reservation=reservation)
        capture.start()
        swapped = vmstat(device, "pswpout")
        order = switching.order()
        device.script(capture.wrap(order.into_file()), deadline_s=order.deadline_s)
        switching.take(printed(device))
        result = switching.result()
        raw = capture.stop()
        assert vmstat(device, "pswpout") > swapped + 5000
    assert result.pages_verified > 0
    assert result.mismatches == 0
    assert raw is not None
    with pytest.raises(WrongKernel, match="release is"):
        prove(identity, virtual_variant("other=kcompressd", base).expectation(lane))


def test_the_thread_above_zram_compresses_what_kswapd_swaps_out(lane: VirtualLane, base: Base) -> None:
    variant = virtual_variant("patched=kcompressd", base)
    device = boot_into(lane, variant)
    expectation = variant.expectation(lane)
    before = read_identity(device, expectation)
    prove(before, expectation)
    assert before.thread_names == ("kcompressd0", "kswapd0")
    with smoke(device) as switching:
        result = cycle(device, switching)
        found = settled(device)
        after = read_identity(device, expectation)
        assert counter_moved(before, after)
        assert result.pages_verified > 0
        assert result.mismatches == 0
        assert found["done"] > 5000
        assert 0 < found["depth_max"] <= 256
        assert found["wakeups"] > 0
        assert run_ns(device, "kcompressd0") > 0

        # Off: as without the patch, and on again.
        device.write_text(f"{SWITCHES}/enabled", "N")
        # A kswapd that has looked at the switch already may still queue one folio.
        device.sleep(0.5)
        off, swapped = settled(device), vmstat(device, "pswpout")
        cycle(device, switching)
        assert vmstat(device, "pswpout") > swapped + 5000
        assert counters(device) == off
        device.write_text(f"{SWITCHES}/enabled", "Y")
        device.write_text(f"{SWITCHES}/rotate", "N")
        cycle(device, switching)
        assert settled(device)["done"] > off["done"]


def test_failed_writes_above_zram_lose_nothing(lane: VirtualLane, base: Base) -> None:
    device = boot_into(lane, virtual_variant("patched=kcompressd", base))
    with smoke(device) as switching:
        settled(device)
        # From here on zram takes no page more: each write fails until a tenth is freed, and then
        # each beyond that.
        used = int(device.read_text("/sys/block/zram0/mm_stat").split()[2])
        device.write_text("/sys/block/zram0/mem_limit", str(used * 9 // 10))
        cycle(device, switching)
        failed = settled(device)
        device.write_text("/sys/block/zram0/mem_limit", "0")
        cycle(device, switching)
    assert failed["redirtied"] > 0
    assert "Write-error on swap-device" in lane.console()


def test_swapoff_waits_for_waiting_folios(lane: VirtualLane, base: Base) -> None:
    device = boot_into(lane, virtual_variant("patched=kcompressd", base))
    with smoke(device):
        for package in ("suite.chat", "suite.maps", "suite.video"):
            device.shell(["am", "force-stop", package])
        settled(device)
        # Pressure from kswapd while swap is being taken away.
        eating = device.spawn(["sh", "-c", "am start -W -n suite.chat/.Main"])
        device.shell(["swapoff", "/dev/zram0"], deadline_s=120)
        eating.stop()
        found = settled(device)
        assert found["queued"] == found["done"] > 0
        device.shell(["am", "start", "-W", "-n", "suite.browser/.Main"], deadline_s=120)
        log = device.read_text("/data/app/suite.browser/app.log").replace(" ", "")
        assert '"mismatches":0' in log
        assert not re.search(r'"mismatches":[1-9]', log)
        device.shell(["mkswap", "/dev/zram0"])
        device.shell(["swapon", "/dev/zram0"])


def test_a_users_patch_is_in_the_kernel_that_boots(lane: VirtualLane, base: Base, mark: Path) -> None:
    variant = virtual_variant(f"mine=patch:file={mark},thread=no", base)
    said: list[str] = []
    bundle = patched_bundle(base, read_patch(mark), None, said.append)
    assert bundle.release != built_bundle(base, said.append).release
    device = boot_into(lane, variant)
    prove(read_identity(device, variant.expectation(lane)), variant.expectation(lane))
    assert device.read_text("/sys/module/kernel/parameters/suite_hello").strip() == "42"
    wrong = virtual_variant(f"mine=patch:file={mark},thread=yes", base)
    with pytest.raises(WrongKernel, match="no compression thread runs"):
        prove(read_identity(device, wrong.expectation(lane)), wrong.expectation(lane))


def test_a_patch_that_does_not_compile_breaks_nothing(base: Base, tmp_path: Path) -> None:
    broken = tmp_path / "broken.patch"
    broken.write_text(MARK.replace("= 42", "= nonsense"))
    built_bundle(base, lambda line: None)
    source = known_source(base.series)
    assert source is not None
    before = (source.folder / "mm" / "page_io.c").read_bytes()
    with pytest.raises(UsageError, match=r"does not build: mm/page_io.c:\d+: ") as caught:
        patched_bundle(base, read_patch(broken), None, lambda line: None)
    assert "\n" not in str(caught.value)
    log = Path(str(caught.value.next_step).removeprefix("read "))
    assert "error:" in log.read_text()
    assert (source.folder / "mm" / "page_io.c").read_bytes() == before
    assert not (builds_dir() / f"work-{base}").exists()
    assert is_built(base)
