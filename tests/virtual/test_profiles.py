"""Every profile that the suite ships swaps, and switches between apps that are still alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.metrics.definition import Needs
from android_tests.capture import Capture
from android_tests.device.state import PinnedState, pins_for
from android_tests.device.variant import Variant
from android_tests.virtual.lane import VirtualLane
from workloads.app_switching import AppSwitching
from workloads.profile import PROFILES, load_profile

TRACED = Needs(ftrace_events=frozenset({"sched/sched_switch", "vmscan/mm_vmscan_direct_reclaim_begin"}))


NAMES = sorted(path.stem for path in PROFILES.glob("*.toml"))


@pytest.mark.parametrize("name", [name for name in NAMES if load_profile(name).workload == "app-switching"])
def test_every_switch_is_hot_while_a_trace_takes_its_memory(name: str, tmp_path: Path) -> None:
    profile = load_profile(name)
    lane = VirtualLane(name="profiles", cpus=2, memory_mb=256, workdir=tmp_path / "lane")
    try:
        device = lane.boot(Variant("baseline", "stock"))
        with PinnedState(device) as state:
            state.apply(pins_for(profile.device))
            switching = AppSwitching(device, profile)
            switching.install()
            switching.prepare()
            switching.cycle()
            before = device.read_text("/proc/vmstat").split()
            (tmp_path / "rep").mkdir()
            capture = Capture(device, TRACED, tmp_path / "rep")
            capture.start()
            capture.mark_begin()
            cycle = switching.cycle()
            capture.mark_end()
            capture.stop()
            after = device.read_text("/proc/vmstat").split()
            switching.remove()
    finally:
        lane.close()
    assert [switch.launch_state for switch in cycle.switches] == ["HOT"] * len(cycle.switches)
    assert cycle.kills == 0
    assert cycle.pages_rewritten > 0
    for counter in ("pswpout", "pswpin", "pgsteal_kswapd"):
        place = before.index(counter) + 1
        assert int(after[place]) - int(before[place]) > 5000, counter
