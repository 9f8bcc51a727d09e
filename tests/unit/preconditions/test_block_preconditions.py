"""Frequencies that a CPU ran at besides the one that it is held at."""

from __future__ import annotations

from harness.device.preconditions.block_preconditions import other_frequencies
from harness.device.preconditions.cpufreq import CpufreqPin


def test_time_at_other_frequencies() -> None:
    pin = CpufreqPin("policy4", 1000)
    begin = {500: 7000, 1000: 100, 2000: 30}
    assert other_frequencies(pin, begin, {500: 7000, 1000: 1095, 2000: 39}) is None
    assert other_frequencies(pin, begin, {500: 7300, 1000: 1090, 2000: 40}) == (
        "24% of the time at other frequencies than 1000 kHz, most at 500 kHz"
    )
    assert other_frequencies(pin, {}, {}) is None
