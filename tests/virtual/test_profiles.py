"""Every profile with synthetic apps that the suite ships swaps, and switches between apps that live."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.contract.needs import Needs
from harness.capture import Capture, reserve_buffer
from harness.device.preconditions.memory_pins import pins_for
from harness.device.preconditions.pinned import PinnedState
from harness.virtual.lane import VirtualLane
from tests.cycles import cycle
from tests.variants import boot_into, virtual_variant
from workloads.app_switching import AppSwitching
from workloads.order import printed
from workloads.profile import PROFILES, load_profile

TRACED = Needs(ftrace_events=frozenset({"sched/sched_switch", "vmscan/mm_vmscan_direct_reclaim_begin"}))


def with_classic_lru(folder: Path) -> str:
    """The default profile on the other LRU."""
    path = folder / "phone-like-classic-lru.toml"
    text = (PROFILES / "phone-like.toml").read_text()
    path.write_text(text.replace("[device]\n", "[device]\nmglru = false\n"))
    return str(path)


NAMES = sorted(path.stem for path in PROFILES.glob("*.toml"))
#: A profile of a phone's own apps has no memory for synthetic ones.
SWITCHING = [
    name
    for name in NAMES
    if (profile := load_profile(name)).workload == "app-switching"
    and all(app.synthetic is not None for app in profile.apps)
]


@pytest.mark.parametrize("name", [*SWITCHING, "classic-lru"])
def test_every_switch_is_hot_while_a_trace_takes_its_memory(name: str, tmp_path: Path) -> None:
    profile = load_profile(with_classic_lru(tmp_path) if name == "classic-lru" else name)
    lane = VirtualLane(name="profiles", workdir=tmp_path / "lane")
    try:
        device = boot_into(lane, virtual_variant("baseline=stock"))
        lru_before = device.read_text("/sys/kernel/mm/lru_gen/enabled")
        assert lru_before.strip() == "0x0003"
        with reserve_buffer(device, TRACED, device.sleep) as reservation, PinnedState(device) as state:
            state.apply(pins_for(profile.device))
            lru = device.read_text("/sys/kernel/mm/lru_gen/enabled").strip()
            assert lru == ("0x0000" if name == "classic-lru" else "0x0003")
            switching = AppSwitching(device, profile)
            switching.install()
            switching.prepare()
            cycle(device, switching)
            before = device.read_text("/proc/vmstat").split()
            (tmp_path / "rep").mkdir()
            capture = Capture(device, TRACED, tmp_path / "rep", reservation=reservation)
            capture.start()
            order = switching.order()
            device.script(capture.wrap(order.into_file()), deadline_s=order.deadline_s)
            switching.take(printed(device))
            result = switching.result()
            capture.stop()
            after = device.read_text("/proc/vmstat").split()
            switching.remove()
        assert device.read_text("/sys/kernel/mm/lru_gen/enabled") == lru_before
    finally:
        lane.close()
    assert [switch.launch_state for switch in result.switches] == ["HOT"] * len(result.switches)
    assert result.kills == 0
    assert result.pages_rewritten > 0
    for counter in ("pswpout", "pswpin", "pgsteal_kswapd"):
        place = before.index(counter) + 1
        assert int(after[place]) - int(before[place]) > 5000, counter
