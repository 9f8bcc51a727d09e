"""What a profile asks of a phone, and what the suite makes of frequencies and names."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from foundation.contract.device import Device
from foundation.errors import UsageError
from harness.campaign.preconditions import other_frequencies
from harness.capture.samples import Sample
from harness.capture.validity import throttle_reasons
from harness.device.preconditions.condition import Condition
from harness.device.preconditions.cpufreq import CpufreqPin, sustainable_khz
from harness.device.preconditions.gates import unmet
from harness.device.preconditions.phone_pins import over_network
from workloads.phone_wanted import PRECONDITIONS, PhoneWanted, parse_suppressed
from workloads.profile import PROFILES, load_profile

GOOD = (PROFILES / "phone-like.toml").read_text()
COOL = Condition(0, 80, 29.5, True, True, compiling=False, syncs=False)


def test_a_profile_without_the_table_gets_the_defaults() -> None:
    assert load_profile("phone-like").phone == PhoneWanted()


def test_the_table_is_read_and_can_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        GOOD + '\n[phone]\ncpufreq = "fixed"\ncpufreq_share = 1\nbrightness = "any"\ndoze = true\n'
    )
    wanted = load_profile(str(path)).phone
    assert wanted == PhoneWanted(cpufreq="fixed", cpufreq_share=1.0, brightness=None, doze=True)
    changed = load_profile("phone-like", {"phone": {"charging": "no"}})
    assert changed.phone == PhoneWanted(charging="no")
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
    assert load_profile(str(path)).phone == PhoneWanted()
    assert all(field.name in table for field in fields(PhoneWanted))
    assert all(f"`{name}`" in page for name in PRECONDITIONS)


def test_names_to_suppress() -> None:
    assert parse_suppressed(["thermal, zram", "thermal"]) == ("thermal", "zram")
    assert parse_suppressed([]) == ()
    with pytest.raises(UsageError, match="there is no precondition 'termal' -> did you mean 'thermal'"):
        parse_suppressed(["termal"])


@pytest.mark.parametrize(
    ("share", "khz"), [(1.0, 2803200), (0.7, 1800000), (0.5, 1000000), (0.1, 499200), (0.642, 1000000)]
)
def test_the_step_is_the_highest_below_the_share(share: float, khz: int) -> None:
    assert sustainable_khz([499200, 1000000, 1800000, 2803200], 2803200, share) == khz


def test_time_at_other_frequencies() -> None:
    pin = CpufreqPin("policy4", 1000)
    begin = {500: 7000, 1000: 100, 2000: 30}
    assert other_frequencies(pin, begin, {500: 7000, 1000: 1095, 2000: 39}) == []
    assert other_frequencies(pin, begin, {500: 7300, 1000: 1090, 2000: 40}) == [
        "policy4 was throttled: 24% of the time at other frequencies than 1000 kHz, most at 500 kHz"
    ]
    assert other_frequencies(pin, {}, {}) == []


@pytest.mark.parametrize(
    ("limits", "throttled"), [((1824, 1824), False), ((1824, 1500), True), ((1500, 1824), True)]
)
def test_a_changed_upper_limit_is_throttling(limits: tuple[int, int], throttled: bool) -> None:
    name = "extra./sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq"
    edges = [Sample(t, t, "begin", {name: 1824, "extra./x": t}, {}, ()) for t in (1, 9)]
    between = [Sample(5, 5, "sample", {name: limit}, {}, ()) for limit in limits]
    reasons = throttle_reasons(edges[0], between, edges[1])
    assert bool(reasons) == throttled
    if throttled:
        assert reasons == ("policy4 was throttled: at most 1500 kHz at times, 1824 otherwise",)


@pytest.mark.parametrize(
    ("serial", "network"),
    [
        ("R5CX826Q9VB", False),
        ("127.0.0.1:5555", False),
        ("192.168.1.7:5555", True),
        ("adb-R5CX826Q9VB-IjsOKx._adb-tls-connect._tcp", True),
    ],
)
def test_a_phone_on_the_air_keeps_its_network(serial: str, network: bool) -> None:
    assert over_network(cast(Device, SimpleNamespace(serial=serial))) is network


def test_every_unmet_precondition_is_named() -> None:
    wanted = PhoneWanted(charging="no")
    found = Condition(2, 12, 44.0, True, True, compiling=True, syncs=True)
    names = [one.precondition for one in unmet(found, wanted, over_network=True)]
    assert names == ["thermal", "thermal", "battery", "charging", "airplane", "dexopt"]
    assert unmet(COOL, PhoneWanted(), over_network=False) == []
    nothing = Condition(None, None, None, None, None, compiling=False, syncs=None)
    untold = [one.precondition for one in unmet(nothing, wanted, over_network=False)]
    assert untold == ["thermal", "battery", "charging"]
    on_air = PhoneWanted(airplane=False)
    assert [str(one)[:5] for one in unmet(found, on_air, over_network=True)][-1] == "sync:"
