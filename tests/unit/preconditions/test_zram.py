"""States of zram and lines of /proc/swaps as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.preconditions.zram import ZramPin
from harness.device.preconditions.zram_state import Swap, ZramState, parse_swaps

_SWAPS = """Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/block/zram0                        partition\t2097148\t\t1234\t\t32758
/data/swap\\040file                     file\t\t1024\t\t0\t\t-2
"""


def test_swaps() -> None:
    assert parse_swaps(_SWAPS) == [
        Swap("/dev/block/zram0", 2097148, 1234, 32758),
        Swap("/data/swap\\040file", 1024, 0, -2),
    ]
    assert parse_swaps("Filename\tType\tSize\tUsed\tPriority\n") == []
    assert parse_swaps("") == []


@given(
    disksize=st.integers(0, 1 << 40),
    algorithm=st.sampled_from(["lz4", "lzo-rle", "zstd"]),
    swap=st.sampled_from(["off", "auto", "0", "32767"]),
    backing=st.sampled_from(["none", "/dev/block/loop7"]),
)
def test_zram_state_round_trips(disksize: int, algorithm: str, swap: str, backing: str) -> None:
    state = ZramState(disksize, algorithm, swap, backing)
    assert ZramState.parse(str(state)) == state


@pytest.mark.parametrize("text", ["", "disksize=1", "disksize=x algorithm=a swap=off backing=none"])
def test_no_zram_state(text: str) -> None:
    with pytest.raises(ValueError, match="not a zram state"):
        ZramState.parse(text)


def test_zram_size_may_be_rounded_up_to_a_page_and_no_more() -> None:
    pin = ZramPin(256, "lz4")
    wanted = ZramState.parse(pin.wanted)
    for grown, fits in ((0, True), (4096, True), (-1, False), (1 << 20, False)):
        got = str(ZramState(wanted.disksize + grown, "lz4", "auto"))
        assert pin.verify(pin.wanted, got) is fits


@pytest.mark.parametrize(
    "got", [ZramState(256 << 20, "zstd", "auto"), ZramState(256 << 20, "lz4", "off")], ids=str
)
def test_zram_that_differs(got: ZramState) -> None:
    pin = ZramPin(256, "lz4")
    assert not pin.verify(pin.wanted, str(got))


def test_backing_device_counts() -> None:
    pin = ZramPin(256, "lz4")
    assert not pin.verify(pin.wanted, str(ZramState(256 << 20, "lz4", "auto", "/dev/block/loop1")))
