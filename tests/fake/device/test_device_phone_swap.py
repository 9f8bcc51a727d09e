"""The phone's own swap around restarts and at the end of a run."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from foundation.errors import StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.lane_phone import PhoneLane, open_phone
from harness.device.phone_swap import DEADLINE_S, POLL_S, QUIET_S
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.zram import ZramPin, zram_pin
from tests.stand_ins.device.android import GOOGLE, SAMSUNG, AndroidPhone, android_phone
from tests.variants import boot_into, phone_variant

AS_IS = phone_variant("as=as-is")
MIB = 1 << 20


@dataclass
class Bench:
    """A lane that restarts a phone between blocks, what it said, and how long it slept."""

    phone: AndroidPhone
    lane: PhoneLane
    said: list[str]
    slept: list[float] = field(default_factory=list)

    def boot(self) -> AdbDevice:
        device = boot_into(self.lane, AS_IS)
        assert isinstance(device, AdbDevice)
        return device

    @property
    def swap(self) -> tuple[int, str, int | None, str]:
        zram = self.phone.zram
        return zram.disksize, zram.algorithm, zram.swap_priority, zram.backing


@pytest.fixture(params=[SAMSUNG, GOOGLE], ids=["plain", "backed"])
def bench(
    adb: AdbServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    said: list[str] = []
    with android_phone(34, "userdebug", request.param, root=True) as phone:
        adb.connect(phone.serial)
        lane = open_phone(
            "phone-0", serial=phone.serial, adb_port=adb.port, reboot_between=True, say=said.append
        )
        made = Bench(phone, lane, said)
        monkeypatch.setattr(AdbDevice, "sleep", lambda self, dur_s: made.slept.append(dur_s))
        yield made
        lane.close()
        adb.disconnect(phone.serial)


def run_block(device: AdbDevice) -> None:
    with PinnedState(device) as state:
        state.apply([zram_pin(device, 2048, "lz4", reset_backed=False)])


@pytest.mark.parametrize("texts", [4, 9, 25])
def test_swap_that_init_sets_up_after_boot_completed(bench: Bench, texts: int) -> None:
    """On a zram that is in use by then init fails, and after the block the phone has no swap."""
    found = bench.swap
    run_block(bench.boot())
    bench.phone.swap_after_texts = texts
    run_block(bench.boot())
    assert bench.swap == found
    assert sum(bench.slept) >= QUIET_S
    bench.lane.close()
    assert bench.said == []


def test_a_phone_whose_swap_does_not_come_back_is_not_waited_for_for_ever(bench: Bench) -> None:
    bench.boot()
    bench.phone.swap_after_texts = 10_000
    bench.boot()
    assert bench.said == [
        f"the phone has not set up its swap (zram0) {DEADLINE_S:g} s after its restart: going on"
    ]
    assert sum(bench.slept) == pytest.approx(DEADLINE_S, abs=POLL_S)


def test_the_first_block_waits_for_nothing(bench: Bench) -> None:
    bench.boot()
    assert bench.slept == []


def test_a_phone_that_was_only_just_started_is_waited_for(bench: Bench) -> None:
    found = bench.swap
    bench.phone.uptime_s = 40.0
    bench.phone.without_swap(12)
    run_block(bench.boot())
    assert bench.swap == found
    assert sum(bench.slept) >= QUIET_S


def test_settings_that_still_change_are_waited_for(bench: Bench) -> None:
    bench.boot()
    polls = []

    def init(text: str) -> None:
        if "/proc/swaps" in text:
            polls.append(text)
            if len(polls) == 3:
                bench.phone.files.write("/proc/sys/vm/swappiness", b"160")

    bench.phone.on_text = init
    bench.boot()
    assert len(polls) == 3 + QUIET_S / POLL_S


def test_a_phone_that_lost_its_swap_gets_it_back_at_the_end(bench: Bench) -> None:
    """By whatever: a vendor's daemon, a block whose restore was cut off."""
    found = bench.swap
    bench.boot()
    bench.phone.zram.swapoff([bench.phone.zram.node])
    bench.phone.files.write("/sys/block/zram0/reset", b"1")
    bench.lane.close()
    assert bench.swap == (*found[:3], "none")
    assert bench.said[0].startswith("the phone had lost its swap; it is on again (")


def test_no_swap_at_the_end_is_one_line(bench: Bench) -> None:
    bench.boot()
    zram = bench.phone.zram
    zram.swapoff([zram.node])
    zram.swapon_error = errno.EPERM
    with pytest.raises(StateError, match=r"has no swap, and had \d+ MiB, .* -> restart the phone"):
        bench.lane.close()


def test_what_only_a_restart_brings_back_is_said_at_the_end(bench: Bench) -> None:
    device = bench.boot()
    size = bench.phone.zram.disksize
    with PinnedState(device) as state:
        state.apply([ZramPin(64, "lz4", reset_backed=True)])
    bench.lane.close()
    assert bench.phone.zram.disksize == size
    backed = bench.phone.vendor.backing_mb > 0
    assert bench.said == (
        [
            f"zram0 of {bench.phone.serial} has swap again, but without its backing device"
            " /dev/block/loop29: restart the phone to have all of it back"
        ]
        if backed
        else []
    )
