"""The memory settings of a profile as preconditions, in their order."""

from __future__ import annotations

from dataclasses import replace

from harness.device.preconditions.memory_pins import pins_for, thp_never
from harness.device.preconditions.pins import FilePin
from harness.device.preconditions.protocol import Check, Pin, Precondition
from workloads.profile import DevicePins

SETTINGS = DevicePins(256, "lz4", 100, 0)


def asked_for(item: Precondition) -> str | None:
    if isinstance(item, Pin):
        return item.wanted
    return item.required if isinstance(item, Check) else None


def test_huge_pages_are_off() -> None:
    assert thp_never().wanted == "never"


def test_an_lru_that_is_asked_for_must_be_there() -> None:
    for asked, wanted in ((True, "0x0007"), (False, "0x0000")):
        (pin,) = [pin for pin in pins_for(replace(SETTINGS, mglru=asked)) if pin.name == "lru_gen"]
        assert isinstance(pin, FilePin)
        assert (pin.wanted, pin.optional) == (wanted, False)


def test_pins_of_a_profile_end_with_zram_and_the_check() -> None:
    pins = pins_for(SETTINGS)
    assert [(pin.name, asked_for(pin)) for pin in pins] == [
        ("transparent_hugepage", "never"),
        ("transparent_hugepage by size", "never"),
        ("lru_gen", None),
        ("vm.swappiness", "100"),
        ("vm.page-cluster", "0"),
        ("zram0", "disksize=268435456 algorithm=lz4 swap=auto backing=none"),
        ("swap in use at the start", "at most 5% of the swap"),
    ]
