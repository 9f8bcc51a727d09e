"""What is checked on a phone and not set: each failure is named."""

from __future__ import annotations

from harness.device.preconditions.checks import EmptySwap, all_unmet
from harness.device.preconditions.phone_condition import Condition
from workloads.phone_settings import PhoneSettings

COOL = Condition(0, 80, 29.5, True, True, compiling=False, syncs=False)


def test_empty_swap_has_a_limit() -> None:
    check = EmptySwap(limit_share=0.05)
    assert check.required == "at most 5% of the swap"
    assert check.holds("100 of 2000 kB")
    assert not check.holds("101 of 2000 kB")
    assert not check.holds("0, 50, 101 of 2000 kB")
    assert check.holds("101, 0 of 2000 kB")
    assert check.holds("0 of 0 kB")


def test_every_unmet_precondition_is_named() -> None:
    wanted = PhoneSettings(charging="no")
    found = Condition(2, 12, 44.0, True, True, compiling=True, syncs=True)
    names = [one.precondition for one in all_unmet(found, wanted, over_network=True)]
    assert names == ["thermal", "thermal", "battery", "charging", "airplane", "dexopt"]
    assert all_unmet(COOL, PhoneSettings(), over_network=False) == []
    nothing = Condition(None, None, None, None, None, compiling=False, syncs=None)
    unreported = [one.precondition for one in all_unmet(nothing, wanted, over_network=False)]
    assert unreported == ["thermal", "battery", "charging"]
    on_air = PhoneSettings(airplane=False)
    assert [str(one)[:5] for one in all_unmet(found, on_air, over_network=True)][-1] == "sync:"
