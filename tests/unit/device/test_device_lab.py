"""The lab file, and what it lets happen to a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import LabError, SuiteError, UsageError
from harness.device.lab import (
    NO_LAB,
    Act,
    Lab,
    find_lab,
    load_lab,
    permit,
    serial_of_role,
)

_BUILD = "google/shiba/shiba:15/AP4A.250105.002/12701944:userdebug/dev-keys"
_TEXT = f"""
[[device]]
serial = "3A071FDH2000XK"
model = "Pixel 8"
build = "{_BUILD}"
role = "desk"
allow = ["flash", "reboot-bootloader"]

[[device]]
serial = "R5CT1234567"
model = "SM-S901B"
build = "samsung/r0sxxx/r0s:14/*"
role = "desk"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "lab.toml"
    file.write_text(_TEXT)
    return file


@pytest.fixture
def lab(path: Path) -> Lab:
    return load_lab(path)


def ask(
    act: Act,
    lab: Lab,
    *,
    serial: str = "3A071FDH2000XK",
    model: str = "Pixel 8",
    build: str = _BUILD,
    opted_in: bool = True,
) -> None:
    permit(act, serial=serial, model=model, build=build, opted_in=opted_in, lab=lab)


def test_what_is_listed_and_asked_for_is_permitted(lab: Lab) -> None:
    ask(Act.FLASH, lab)
    ask(Act.REBOOT_BOOTLOADER, lab)


@pytest.mark.parametrize("act", list(Act))
def test_nothing_without_the_option(lab: Lab, act: Act) -> None:
    option = "--reboot-between" if act is Act.REBOOT else "--allow-flash"
    with pytest.raises(UsageError, match=option):
        ask(act, lab, opted_in=False)


@pytest.mark.parametrize("act", [act for act in Act if act.destructive])
def test_nothing_destructive_without_a_file_or_an_entry(lab: Lab, act: Act) -> None:
    with pytest.raises(LabError, match=r"there is no lab\.toml"):
        ask(act, NO_LAB)
    with pytest.raises(LabError, match="does not list this device"):
        ask(act, lab, serial="UNKNOWN")


def test_a_restart_needs_no_entry_but_an_entry_may_forbid_it(lab: Lab) -> None:
    ask(Act.REBOOT, NO_LAB)
    ask(Act.REBOOT, lab, serial="UNKNOWN")
    with pytest.raises(LabError, match="allows flash, reboot-bootloader for this device"):
        ask(Act.REBOOT, lab)


def test_an_act_that_the_entry_leaves_out(lab: Lab) -> None:
    with pytest.raises(LabError, match="wipe is not allowed") as caught:
        ask(Act.WIPE, lab)
    assert caught.value.device == "3A071FDH2000XK"
    with pytest.raises(LabError, match="allows nothing"):
        ask(Act.FLASH, lab, serial="R5CT1234567", model="SM-S901B", build="samsung/r0sxxx/r0s:14/UP1A/x")


@pytest.mark.parametrize(
    ("model", "build", "words"),
    [
        ("Pixel 8a", _BUILD, ["model is Pixel 8a, but Pixel 8 is listed"]),
        ("Pixel 8", _BUILD + ".1", ["build is "]),
        ("", "", ["model is unknown", "build is unknown"]),
        ("pixel 8", _BUILD.upper(), ["model is pixel 8", "build is GOOGLE"]),
    ],
)
def test_another_device_under_the_same_serial(lab: Lab, model: str, build: str, words: list[str]) -> None:
    with pytest.raises(LabError, match="not the device in") as caught:
        ask(Act.FLASH, lab, model=model, build=build)
    for word in words:
        assert word in str(caught.value)


def test_a_build_by_its_prefix(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(_TEXT.replace(_BUILD, "google/shiba/*"))
    lab = load_lab(file)
    ask(Act.FLASH, lab)
    for build in ("google/shib/x", "google/husky/husky:15/x", ""):
        with pytest.raises(LabError):
            ask(Act.FLASH, lab, build=build)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('role = "desk"', 'rol = "desk"', "unknown key rol -> did you mean role?"),
        ('"flash", ', '"flahs", ', "is not a list of flash, fastboot-boot, reboot"),
        (_BUILD, "*", "build = '*' is not"),
        (_BUILD, "google/*", "build = 'google/*' is not"),
        (_BUILD, "google/*/shiba:15/*", "is not what 'getprop ro.build.fingerprint' prints"),
        ('model = "Pixel 8"', 'model = ""', "model = '' is not"),
        ('serial = "R5CT1234567"', 'serial = "3A071FDH2000XK"', "two devices have the serial"),
        ("[[device]]", "[[devices]]", "device is missing -> rename devices to device"),
        ("[[device]]", "[[device]", "cannot be read"),
    ],
)
def test_mistakes_in_the_file(path: Path, old: str, new: str, words: str) -> None:
    path.write_text(_TEXT.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_lab(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in caught.value.what


def test_where_the_file_is_looked_for(path: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert find_lab(None, empty) is NO_LAB
    assert len(find_lab(None, tmp_path).devices) == 2
    assert find_lab(path, empty).path == path
    with pytest.raises(UsageError, match="no lab file"):
        find_lab(empty / "lab.toml")


def test_a_role(lab: Lab) -> None:
    assert serial_of_role(lab, "desk", ["R5CT1234567", "other"]) == "R5CT1234567"
    for role, attached, words in (
        ("desk", [device.serial for device in lab.devices], "2 devices with the role desk"),
        ("desk", ["other"], "no device with the role desk is attached"),
        ("rack", ["other"], "roles are: desk"),
    ):
        with pytest.raises(SuiteError) as caught:
            serial_of_role(lab, role, attached)
        assert words in str(caught.value)
    with pytest.raises(UsageError, match="--role desk needs a lab file"):
        serial_of_role(NO_LAB, "desk", [])
