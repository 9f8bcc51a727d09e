"""Needs held against what a device lets be read, without a device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.metrics import all_metrics, catalogue, metric_named, needs_of
from harness.doctor.facts import CompressionSwitch, DeviceFacts, Readable
from harness.doctor.measurable import by_family, findings, usable
from harness.doctor.next_steps import variants
from harness.doctor.page import WIDTH, page

_HELD = Readable("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 total=0")
_ALL = needs_of(all_metrics())

FACTS = DeviceFacts(
    serial="R5CT",
    emulated=False,
    properties={"model": "Fake", "build type": "userdebug"},
    release="6.6",
    root="shell",
    perfetto="Perfetto v49.0 (N/A)",
    service="running",
    recorder="perfetto",
    tracefs="/sys/kernel/tracing",
    kprobe_events=True,
    events=dict.fromkeys(_ALL.ftrace_events, "open"),
    threads=("kcompressd0", "kswapd0"),
    thread_cpu=Readable("1 2 3"),
    vmstat=_ALL.vmstat - {"allocstall", "allocstall_device"},
    vmstat_why="",
    meminfo=dict.fromkeys({*_ALL.meminfo, "MemTotal"}, 8_000_000),
    psi=dict.fromkeys(("memory", "cpu", "io"), _HELD),
    swaps=Readable("Filename"),
    zram_disk="zram0",
    zram_size=Readable("1048576"),
    zram_algorithm=Readable("lz4"),
    zram_statistics=Readable("0 0 0"),
    swappiness=Readable("100"),
    page_cluster=Readable("0"),
    lru_gen=Readable("0x0007"),
    huge_pages=Readable("never"),
    switches=(),
    clusters=(),
    thermal_status=0,
    hottest=None,
    battery=None,
    activity_manager=True,
)
_GONE = Readable(None, "Permission denied")


#: Whether a phone measures its rails is told by its first trace only.
ENERGY = {name for name, metric in all_metrics().items() if metric.needs.power_rails}


def lost(facts: DeviceFacts) -> dict[str, tuple[str, ...]]:
    """Without the metrics of energy, which no reading can promise."""
    found = {one.metric: one.missing for one in findings(facts, all_metrics().values()) if not one.ok}
    for name in ENERGY:
        assert "power rails" in " ".join(found.pop(name))
    return found


def test_a_device_that_tells_everything() -> None:
    assert lost(FACTS) == {}


def test_every_need_is_asked_for() -> None:
    """A device that tells nothing leaves no metric known but the length of the window."""
    bare = replace(
        FACTS,
        recorder=None,
        kprobe_events=False,
        vmstat=None,
        vmstat_why="Permission denied",
        psi=dict.fromkeys(FACTS.psi, _GONE),
        zram_statistics=_GONE,
        activity_manager=False,
    )
    found = findings(bare, all_metrics().values())
    assert [one.metric for one in found if one.ok] == ["window_s"]
    assert not usable(found)


@pytest.mark.parametrize("keys", [{"allocstall"}, {"allocstall_normal", "allocstall_movable"}])
def test_any_zone_of_allocation_stalls_is_enough(keys: set[str]) -> None:
    zones = metric_named("allocstall").any_of
    assert FACTS.vmstat is not None
    some = replace(FACTS, vmstat=(FACTS.vmstat - zones) | keys)
    assert "allocstall" not in lost(some)
    none = replace(FACTS, vmstat=FACTS.vmstat - zones)
    assert lost(none) == {"allocstall": ("this kernel's vmstat has no allocstall",)}


def test_a_line_of_pressure_that_the_kernel_lacks() -> None:
    only_some = replace(FACTS, psi={**FACTS.psi, "memory": Readable("some avg10=0.00 total=0")})
    assert lost(only_some) == {"psi_memory_full_ms": ("/proc/pressure/memory has no line full",)}


def test_reasons_of_a_part_name_it() -> None:
    closed = replace(FACTS, events={**FACTS.events, "sched/sched_waking": "closed"})
    rows = {row.family: row for row in by_family(findings(closed, all_metrics().values()))}
    assert rows["direct reclaim"].answer == "yes"
    reclaim = rows["reclaim CPU"]
    assert reclaim.answer == "6 of 8"
    assert reclaim.why == (
        "closed on this build: sched_waking (kswapd_runnable_wait_ms, compression_runnable_wait_ms)",
    )


@pytest.mark.parametrize(
    ("switch", "wanted"),
    [
        (CompressionSwitch("/proc/sys/vm/kcompressd", "0", True), ("sysctl:vm.kcompressd=0", "=24")),
        (CompressionSwitch("/proc/sys/vm/kcompressd", "6", True), ("sysctl:vm.kcompressd=0", "=6")),
        (CompressionSwitch("/sys/module/zram/parameters/kcompressd", "N", True), ("param:/sys", "=Y")),
        (CompressionSwitch("/proc/sys/vm/kcompressd", "6", False), ("as-is", "as-is")),
        (CompressionSwitch("/proc/sys/vm/kcompressd", None, True), ("as-is", "as-is")),
        (CompressionSwitch("/sys/module/k/parameters/queue_size", "9", True), ("as-is", "as-is")),
    ],
)
def test_variants_from_a_switch(switch: CompressionSwitch, wanted: tuple[str, str]) -> None:
    off, on = variants(replace(FACTS, switches=(switch,)))
    assert wanted[0] in off
    assert on.endswith(wanted[1])


def test_the_page_stays_narrow_whatever_it_is_told() -> None:
    switch = CompressionSwitch("/sys/module/kcompressd/parameters/" + "x" * 30, "1" * 20, False)
    facts = replace(
        FACTS,
        release="6.6." + "x" * 60,
        root="none",
        events=dict.fromkeys(FACTS.events, "closed"),
        switches=(switch, switch),
        thread_cpu=_GONE,
    )
    text = page(facts, findings(facts, all_metrics().values()), ["vm.swappiness"] * 9, [], catalogue())
    assert max(map(len, text.splitlines())) <= WIDTH


def test_calls_need_kprobes_and_root() -> None:
    probed = {name for name, metric in all_metrics().items() if metric.needs.probes}
    assert probed
    assert not probed & lost(FACTS).keys()
    without = lost(replace(FACTS, kprobe_events=False))
    assert without.keys() >= probed
    assert all("no kprobe events" in " ".join(without[name]) for name in probed)
    assert "needs a root shell" in " ".join(lost(replace(FACTS, root="none"))[min(probed)])
