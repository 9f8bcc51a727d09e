"""A zram with a backing device, and a second user of it, on a real kernel.

Debian's kernel has CONFIG_ZRAM_WRITEBACK, but the guest has no loop module: zram1 plays the loop device
that clears itself. The test resets it, so that its size is 0, as that of a loop device without its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from foundation.contract.device import Device
from foundation.errors import CommandFailed, NotReady
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.zram import KeptZramPin, ZramPin, zram_pin
from harness.device.preconditions.zram_state import ZramState, read_zram
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

MIB = 1 << 20
ZRAM = "/sys/block/zram0"
BACKING = "/dev/zram1"
#: What the kernel chooses for an Android without a priority in its fstab.
FOUND = ZramState(32 * MIB, "lz4", "auto", BACKING, mem_limit=24 * MIB, writeback_limit=300)


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    lane = VirtualLane(workdir=tmp_path_factory.mktemp("lane"))
    device = boot_into(lane, virtual_variant("baseline=stock"))
    assert device.read_text("/sys/class/zram-control/hot_add") == "1\n"
    yield device
    lane.close()


@pytest.fixture
def device(booted: Device) -> Device:
    """With `FOUND` as its swap, as init would have left it."""
    booted.script("swapoff /dev/zram0", check=False)
    for path, text in {
        f"{ZRAM}/reset": "1",
        "/sys/block/zram1/reset": "1",
        "/sys/block/zram1/disksize": str(16 * MIB),
        f"{ZRAM}/backing_dev": BACKING,
        f"{ZRAM}/comp_algorithm": FOUND.algorithm,
        f"{ZRAM}/disksize": str(FOUND.disksize),
        f"{ZRAM}/mem_limit": str(FOUND.mem_limit),
        f"{ZRAM}/writeback_limit_enable": "1",
        f"{ZRAM}/writeback_limit": str(FOUND.writeback_limit),
    }.items():
        booted.write_text(path, text)
    booted.script("mkswap /dev/zram0 && swapon /dev/zram0")
    assert read_zram(booted, "zram0") == FOUND
    return booted


def test_it_is_emptied_and_kept(device: Device) -> None:
    with PinnedState(device) as state:
        pin = zram_pin(device, 64, "zstd", reset_backed=False)
        assert isinstance(pin, KeptZramPin)
        state.apply([pin])
        assert read_zram(device, "zram0") == FOUND
        pin.write(device, pin.wanted)
        assert state.drifted() == []
    assert read_zram(device, "zram0") == FOUND


def test_a_backing_device_that_is_still_there_is_put_back(device: Device) -> None:
    with PinnedState(device) as state:
        state.apply([ZramPin(64, "zstd", reset_backed=True)])
        now = read_zram(device, "zram0")
        assert (now.backing, now.mem_limit) == ("none", 0)
        # A reset keeps the limit of writeback.
        assert now.writeback_limit == FOUND.writeback_limit
    assert read_zram(device, "zram0") == FOUND


def test_one_that_is_empty_is_refused_and_swap_is_on_without_it(device: Device) -> None:
    with PinnedState(device) as state:
        state.apply([ZramPin(64, "zstd", reset_backed=True)])
        device.write_text("/sys/block/zram1/reset", "1")
    now = read_zram(device, "zram0")
    assert now == ZramState(
        FOUND.disksize, "lz4", "auto", mem_limit=FOUND.mem_limit, writeback_limit=FOUND.writeback_limit
    )
    device.script("swapoff /dev/zram0")
    device.write_text(f"{ZRAM}/reset", "1")
    with pytest.raises(CommandFailed) as caught:
        device.write_text(f"{ZRAM}/backing_dev", BACKING)
    assert "Invalid argument" in caught.value.stderr


def test_a_second_writer_fails_on_the_zram_of_a_block(device: Device) -> None:
    """What init's swapon_all meets if the suite is first: its swap does not come."""
    with PinnedState(device) as state:
        state.apply([ZramPin(64, "zstd", reset_backed=True)])
        for command in (f"echo {32 * MIB} > {ZRAM}/disksize", "mkswap /dev/zram0", "swapon /dev/zram0"):
            done = device.script(command, check=False)
            assert done.exit_status != 0
            assert re.search("busy", done.stderr), command
        assert state.drifted() == []


def test_a_zram_that_another_program_has_open(device: Device) -> None:
    holder = device.spawn(["sh", "-c", "exec 3< /dev/zram0; sleep 600"])
    try:
        device.sleep(1.0)
        with pytest.raises(NotReady, match=r"reset: '1' was refused: .*busy"), PinnedState(device) as state:
            state.apply([ZramPin(64, "zstd", reset_backed=True)])
        assert read_zram(device, "zram0") == FOUND
    finally:
        holder.stop()
