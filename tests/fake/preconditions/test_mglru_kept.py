"""The LRU that a profile leaves open stays as the first block of a campaign found it."""

from __future__ import annotations

import pytest

from foundation.contract.records import BlockResult, Pin
from foundation.errors import StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.preconditions.memory_pins import mglru, mglru_as_found
from harness.device.preconditions.pinned import PinnedState
from tests.stand_ins.device import Attribute, FakeDevice

LRU_GEN = "/sys/kernel/mm/lru_gen/enabled"


def block(*values: str) -> BlockResult:
    pins = tuple(Pin("lru_gen", value, None, value) for value in values)
    return BlockResult(
        outcome="valid",
        void_reasons=(),
        failure=None,
        started_utc="",
        ended_utc="",
        boot_id="",
        identity={},
        pins=pins,
        gates=(),
        reps=(),
        void_reps={},
    )


@pytest.mark.parametrize("found", ["0x0000", "0x0003"])
def test_what_a_flag_changed_between_two_blocks_is_set_back(
    device: AdbDevice, fake: FakeDevice, found: str
) -> None:
    # The flag lru_gen_config was set by a server, and init wrote the file.
    assert fake.files.read(LRU_GEN).strip() == b"0x0007"
    pin = mglru_as_found([block("unknown: Permission denied"), block(found), block("0x0007")])
    assert pin is not None
    with PinnedState(device) as state:
        state.apply([pin])
        # What a block does with a profile that leaves the LRU open: it records, and looks for drift.
        state.apply([mglru(None)])
        assert [row["after"] for row in state.record()] == [found, found]
        assert state.drifted() == []
    assert fake.files.read(LRU_GEN).strip() == b"0x0007"


def test_a_kernel_without_it_is_as_good_as_off(device: AdbDevice, fake: FakeDevice) -> None:
    pin = mglru_as_found([block("absent")])
    assert pin is not None
    assert pin.wanted == "0x0000"
    fake.files.remove(LRU_GEN)
    assert not pin.due(pin.read(device))
    on = mglru_as_found([block("0x0007")])
    assert on is not None
    with pytest.raises(StateError, match="lru_gen"), PinnedState(device) as state:
        state.apply([on])


def test_one_that_cannot_be_set_says_so(device: AdbDevice, fake: FakeDevice) -> None:
    fake.files.put(LRU_GEN, Attribute(lambda: "0x0007"))
    pin = mglru_as_found([block("0x0000")])
    assert pin is not None
    with pytest.raises(StateError, match="lru_gen"), PinnedState(device) as state:
        state.apply([pin])


def test_blocks_that_do_not_tell() -> None:
    assert mglru_as_found([]) is None
    assert mglru_as_found([block(), block("unknown: Permission denied")]) is None
