"""The step that a CPU is held at, and the limits of a policy as text."""

from __future__ import annotations

import pytest

from harness.device.preconditions.cpufreq import CpufreqPin, sustainable_khz


@pytest.mark.parametrize(
    ("share", "khz"), [(1.0, 2803200), (0.7, 1800000), (0.5, 1000000), (0.1, 499200), (0.642, 1000000)]
)
def test_the_step_is_the_highest_below_the_share(share: float, khz: int) -> None:
    assert sustainable_khz([499200, 1000000, 1800000, 2803200], 2803200, share) == khz


def test_a_limit_that_differs_is_due_under_any_governor() -> None:
    pin = CpufreqPin("policy4", 1000000)
    assert not pin.due("governor=walt min=1000000 max=1000000")
    assert pin.due("governor=walt min=1000000 max=2803200")
    assert pin.verify("governor=walt min=1 max=2", "governor=walt min=1 max=2")
    assert not pin.verify("governor=walt min=1 max=2", "governor=powersave min=1 max=2")
