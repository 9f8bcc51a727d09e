"""MGLRU: the kernel answers with the bits that its processor has."""

from __future__ import annotations

import pytest

from harness.device.preconditions.memory_pins import mglru
from harness.device.preconditions.pins import FilePin


@pytest.mark.parametrize("got", ["0x0007", "0x0003", "0x0001"])
def test_on_is_any_set_of_bits_with_the_first(got: str) -> None:
    pin = mglru("0x0007")
    assert isinstance(pin, FilePin)
    assert pin.verify("0x0007", got)
    assert pin.due(got) == (got != "0x0007")


def test_off_and_the_value_that_was_found_are_exact() -> None:
    pin = mglru("0x0007")
    assert isinstance(pin, FilePin)
    assert not pin.verify("0x0007", "0x0000")
    assert not pin.verify("0x0000", "0x0003")
    assert not pin.verify("0x0003", "0x0007")
