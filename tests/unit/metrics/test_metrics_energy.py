"""Energy from power rails: known powers go in, millijoules come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, write

#: mW of each rail; a rail's energy in uWs is its power in mW times ms.
POWERS = {"S2M_VDD_CPUCL2": 800, "S4M_VDD_CPUCL0": 150, "S1M_VDD_MIF": 240}
NAMES = ("energy_mj", "energy_cpu_mj", "energy_mj_per_round")


def polled(builder: TraceBuilder, every_ms: int, begin_ms: int = 1000, end_ms: int = 2000) -> None:
    """Constant powers since boot."""
    for number, ms in enumerate(range(begin_ms, end_ms, every_ms)):
        energies = {name: power * ms for name, power in POWERS.items()}
        builder.rails(ms * MS, energies, describe=number == 0)


@pytest.mark.parametrize("every_ms", [10, 70, 130])
def test_energy_of_the_window_is_power_times_its_length(tmp_path: Path, every_ms: int) -> None:
    """The window is 1200 to 1800 ms, whenever the rails were polled."""
    builder = of_suite()
    polled(builder, every_ms)
    for number, at_ms in enumerate((1250, 1400, 1550, 1700)):
        builder.switch("a.b", at_ms * MS, (at_ms + 20) * MS, index=number, round=number // 2)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), *NAMES)
    assert found["energy_mj"].value == pytest.approx(600 * sum(POWERS.values()) / 1e3)
    assert found["energy_cpu_mj"].value == pytest.approx(600 * 950 / 1e3)
    assert found["energy_mj_per_round"].value == pytest.approx(600 * sum(POWERS.values()) / 1e3 / 2)


def test_changing_power_is_followed(tmp_path: Path) -> None:
    """500 mW until 1500 ms, 1500 mW after it: 300 ms of each are in the window."""
    builder = of_suite()
    for number, ms in enumerate(range(1000, 2000, 50)):
        energy = 500 * ms + 1000 * max(0, ms - 1500)
        builder.rails(ms * MS, {"S1M_VDD_CPU": energy}, describe=number == 0)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), *NAMES)
    assert found["energy_mj"].value == pytest.approx(300 * 0.5 + 300 * 1.5)
    assert found["energy_mj_per_round"].value is None
    assert "no app switches" in str(found["energy_mj_per_round"].reason)


def test_without_rails_it_is_unknown_and_not_zero(tmp_path: Path) -> None:
    builder = of_suite()
    builder.capture()
    found = figures(write(tmp_path, builder.build()), *NAMES)
    assert all(figure.value is None for figure in found.values())
    assert "the phone has none" in str(found["energy_mj"].reason)


def test_rails_that_do_not_span_the_window(tmp_path: Path) -> None:
    builder = of_suite()
    polled(builder, 50, begin_ms=1300)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "energy_mj")["energy_mj"]
    assert found.value is None
    assert "both sides" in str(found.reason)


def test_rails_that_fell(tmp_path: Path) -> None:
    builder = of_suite()
    for number, ms in enumerate(range(1000, 2000, 50)):
        builder.rails(ms * MS, {"S1M_VDD_MIF": 10**6 - ms}, describe=number == 0)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "energy_mj", "energy_cpu_mj")
    assert "fell" in str(found["energy_mj"].reason)
    assert "no rail has cpu in its name" in str(found["energy_cpu_mj"].reason)
