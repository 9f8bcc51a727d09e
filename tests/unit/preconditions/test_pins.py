"""Values of files as text: bracketed choices, and blanks."""

from __future__ import annotations

from harness.device.preconditions.pins import selected_choice, sysctl


def test_chosen_in_brackets() -> None:
    assert selected_choice("lzo [lzo-rle] lz4") == "lzo-rle"
    assert selected_choice("0x0007") == "0x0007"


def test_blanks_do_not_count() -> None:
    pin = sysctl("vm.lowmem_reserve_ratio", "256 256 32")
    assert pin.path == "/proc/sys/vm/lowmem_reserve_ratio"
    assert pin.verify("256 256 32", "256\t256\t32")
    assert not pin.due("256\t256\t32")
    assert pin.due("256\t256\t33")
