"""The ``[phone]`` table of a profile."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from foundation.errors import UsageError
from workloads.phone_settings import PhoneSettings
from workloads.profile import PROFILES, load_profile

GOOD = (PROFILES / "phone-like.toml").read_text()


def test_a_profile_without_the_table_gets_the_defaults() -> None:
    assert load_profile("phone-like").phone == PhoneSettings()


def test_the_table_is_read_and_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        GOOD + '\n[phone]\ncpufreq = "fixed"\ncpufreq_share = 1\nbrightness = "any"\ndoze = true\n'
    )
    wanted = load_profile(str(path)).phone
    assert wanted == PhoneSettings(cpufreq="fixed", cpufreq_share=1.0, brightness=None, doze=True)
    changed = load_profile("phone-like", {"phone": {"charging": "no"}})
    assert changed.phone == PhoneSettings(charging="no")
    assert "[phone]" in changed.source


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cpu = 1", "unknown key cpu -> did you mean cpufreq"),
        ('cpufreq = "fast"', "is not 'fixed' or 'governor'"),
        ("cpufreq_share = 0", "is not a share of the highest frequency"),
        ("thermal_status_max = 7", "from 0"),
        ("airplane = 1", "is not true or false"),
        ("battery_percent_min = 80\nbattery_percent_max = 20", "battery_percent_min 80 is above"),
        ('brightness = "bright"', "is not 0 to 255"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"{GOOD}\n[phone]\n{text}\n")
    with pytest.raises(UsageError) as caught:
        load_profile(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    page = (PROFILES.parents[1] / "docs" / "phone-measuring.md").read_text()
    table = page[page.index("[phone]\n") :].partition("```")[0]
    path = tmp_path / "own.toml"
    path.write_text(f"{GOOD}\n{table}")
    assert load_profile(str(path)).phone == PhoneSettings()
    assert all(field.name in table for field in fields(PhoneSettings))
