"""Values of settings as text: zram states, /proc/swaps, bracketed choices."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.preconditions import (
    EmptySwap,
    FilePin,
    ZramPin,
    ZramState,
    pins_for,
    sysctl,
    thp_never,
)
from harness.device.preconditions.pins import chosen
from harness.device.preconditions.zram import Swap, parse_swaps

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


def test_empty_swap_has_a_limit() -> None:
    pin = EmptySwap(limit_kb=100)
    assert pin.verify(pin.wanted, "100 kB")
    assert not pin.verify(pin.wanted, "101 kB")
    assert not pin.drifts


def test_chosen_in_brackets() -> None:
    assert chosen("lzo [lzo-rle] lz4") == "lzo-rle"
    assert chosen("0x0007") == "0x0007"


def test_blanks_do_not_count() -> None:
    pin = sysctl("vm.lowmem_reserve_ratio", "256 256 32")
    assert pin.path == "/proc/sys/vm/lowmem_reserve_ratio"
    assert pin.verify("256 256 32", "256\t256\t32")
    assert not pin.due("256\t256\t32")
    assert pin.due("256\t256\t33")


def test_record_only_is_never_due() -> None:
    assert not FilePin("x", "/x", None).due("anything")
    assert thp_never().wanted == "never"


@dataclass(frozen=True)
class _Settings:
    zram_mb: int = 256
    zram_algorithm: str = "lz4"
    swappiness: int = 100
    page_cluster: int = 0
    mglru: bool | None = None


def test_an_lru_that_is_asked_for_must_be_there() -> None:
    for asked, wanted in ((True, "0x0007"), (False, "0x0000")):
        (pin,) = [pin for pin in pins_for(_Settings(mglru=asked)) if pin.name == "lru_gen"]
        assert isinstance(pin, FilePin)
        assert (pin.wanted, pin.optional) == (wanted, False)


def test_pins_of_a_profile_end_with_zram_and_the_check() -> None:
    pins = pins_for(_Settings())
    assert [(pin.name, pin.wanted) for pin in pins] == [
        ("transparent_hugepage", "never"),
        ("lru_gen", None),
        ("vm.swappiness", "100"),
        ("vm.page-cluster", "0"),
        ("zram0", "disksize=268435456 algorithm=lz4 swap=auto backing=none"),
        ("swap in use at the start", "at most 1024 kB"),
    ]
