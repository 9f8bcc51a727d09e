"""The table of options: what is made from it agrees, and its rows agree with what they stand for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import UsageError
from harness.campaign.merging import settings_of
from harness.campaign.options import Given, Option, add_options, given_at
from harness.campaign.options_page import reference
from harness.campaign.settings import OPTIONS, Settings
from harness.device.fastboot.choice import THE_SLOT
from harness.device.fastboot.phone_kernels import BOOT_DEADLINE_S
from harness.virtual.lane import check_sizes

ROOT = Path(__file__).parents[3]
BY_NAME = {option.name: option for option in OPTIONS}

TYPED = [option for option in OPTIONS if set(option.where) & {"pytest", "run"}]


def sample(option: Option) -> Any:
    """A value that is not the default."""
    if option.bounds is not None:
        return type(option.default or option.bounds[1])(option.bounds[1])
    if option.kind == "words":
        return option.choices[-2:] or ("one", "two=x,y")
    return {"flag": True, "path": ROOT / "a b"}.get(option.kind, (option.choices or ("some word",))[-1])


def test_the_reference_in_the_docs_is_that_of_the_code() -> None:
    page = ROOT / "docs" / "options.md"
    assert page.read_text(encoding="utf-8") == reference(OPTIONS), (
        "run: python -m android_tests.campaign reference > docs/options.md"
    )


@pytest.mark.parametrize("option", TYPED, ids=lambda option: option.name)
def test_a_value_that_is_handed_on_arrives_unchanged(option: Option) -> None:
    """So a leg's pytest measures what `campaign run` was asked for."""
    value = ROOT / "set" if option.path_unless else sample(option)
    parser = argparse.ArgumentParser()
    option.add_to(parser.add_argument, "pytest")
    read = given_at([option], vars(parser.parse_args(option.words(value))).get, option.where[0])
    assert read == {option.name: str(value) if option.path_unless else value}


@pytest.mark.parametrize("place", ["run", "doctor", "survey", "restore"])
def test_a_command_line_has_the_options_of_its_place_and_no_value_unless_given(place: Any) -> None:
    parser = argparse.ArgumentParser()
    add_options(OPTIONS, parser, place)
    there = {option.name for option in OPTIONS if place in option.where}
    assert vars(parser.parse_args([])).keys() == there
    assert given_at(OPTIONS, vars(parser.parse_args([])).get, place) == {}
    assert parser.parse_args(["--adb-port", "5037"]).adb_port == 5037
    with pytest.raises(UsageError, match="--adb-port 'x' is not an integer"):
        parser.parse_args(["--adb-port", "x"])


def test_paths_are_handed_on_whole_and_the_word_slot_as_it_is() -> None:
    option = BY_NAME["known_good"]
    assert option.words(THE_SLOT) == ["--known-good", "slot"]
    assert option.words("sets/good") == ["--known-good", str(Path.cwd() / "sets" / "good")]


def test_defaults_and_ranges_are_those_of_what_they_set() -> None:
    assert Settings().boot_deadline_s == BOOT_DEADLINE_S
    cpus, memory = BY_NAME["virtual_cpus"].bounds, BY_NAME["virtual_memory_mb"].bounds
    assert cpus is not None
    assert memory is not None
    for end, beyond in ((0, -1), (1, 1)):
        check_sizes(int(cpus[end]), int(memory[end]))
        with pytest.raises(UsageError):
            check_sizes(int(cpus[end]) + beyond, 256)
        with pytest.raises(UsageError):
            check_sizes(2, int(memory[end]) + beyond)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"serial": "R58"}, "--serial is for a phone -> add --device=phone"),
        ({"suppress": ("thermal",)}, "--suppress is for a phone"),
        ({"device": "phone", "virtual_cpus": 2}, "--virtual-cpus is for a virtual device"),
    ],
)
def test_an_option_of_another_device_is_refused(given: Given, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings_of(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pairs": 201}, "--pairs must be 1 to 200, not 201"),
        ({"boot_deadline_s": float("nan")}, "--boot-deadline-s must be 1 to 3600, not nan"),
        ({"fail_on": "x"}, "--fail-on cannot be 'x' -> known: regressed, none"),
        ({"scenarios": ("idel",)}, "--scenario cannot be 'idel' -> did you mean 'idle'"),
    ],
)
def test_settings_are_checked_however_they_are_made(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Settings(**given)
