"""Settings are put back also by way of a connection that breaks, and of a device that restarts."""

from __future__ import annotations

import pytest

from foundation.errors import DeviceLost, StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.preconditions.memory_pins import page_cluster, swappiness
from harness.device.preconditions.pinned import PinnedState
from tests.fake.preconditions.held import BEFORE, SWAPPINESS, held, pins, values
from tests.stand_ins.device import FakeDevice


def test_restored_after_the_connection_was_lost(device: AdbDevice, fake: FakeDevice) -> None:
    def lose_it() -> None:
        fake.faults.drop_at = "opened"
        device.shell(["true"])

    with pytest.raises(DeviceLost):
        held(device, pins(), lose_it)
    assert values(fake) == BEFORE


def test_restored_after_the_device_vanished_and_came_back(device: AdbDevice, fake: FakeDevice) -> None:
    held(device, pins(), fake.vanish, lambda: fake.come_back(after_s=1.0))
    assert values(fake) == BEFORE


@pytest.mark.parametrize("stage", ["open", "opened", "output", "exit"])
@pytest.mark.parametrize("command", ["swapoff", "page-cluster", "boot_id"])
def test_connection_dropped_in_the_restore(
    device: AdbDevice, fake: FakeDevice, stage: str, command: str
) -> None:
    with PinnedState(device) as state:
        state.apply(pins())
        fake.faults.drop_service = command
        fake.faults.drop_at = stage  # type: ignore[assignment]  # a Stage
    assert fake.faults.drop_at is None
    assert values(fake) == BEFORE
    assert fake.zram.disksize == 0


def test_device_that_stays_away(device: AdbDevice, fake: FakeDevice) -> None:
    with pytest.raises(StateError) as caught:
        held(device, pins(), fake.vanish, wait_s=1.0)
    said = str(caught.value)
    for name in (
        "zram0 (was ",
        "vm.page-cluster (was 3)",
        "vm.swappiness (was 60)",
        "transparent_hugepage",
    ):
        assert name in said


def test_restarted_device_needs_no_restore(device: AdbDevice, fake: FakeDevice) -> None:
    with PinnedState(device) as state:
        state.apply(pins())
        fake.restart(down_s=0.5)
        fake.files.write(SWAPPINESS, b"77")
    assert values(fake)[1] == "77"


def test_applied_again_after_a_restart(device: AdbDevice, fake: FakeDevice) -> None:
    state = PinnedState(device)
    state.apply([swappiness(100)])
    fake.restart()
    assert device.reconnect(deadline_s=30)
    state.apply([page_cluster(0)])
    state.restore()
    assert values(fake) == BEFORE
    assert [row["name"] for row in state.record()] == ["vm.page-cluster"]
