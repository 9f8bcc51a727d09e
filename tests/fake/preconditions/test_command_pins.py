"""Settings of Android by way of its commands: read, set, deleted, and refused in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.errors import StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.preconditions.command_pins import CommandPin, SettingPin
from harness.device.preconditions.pins import ABSENT
from tests.stand_ins.device.android.controls import Controls

KEY = SettingPin("screen", "system", "suite_test_key", "0")
IDLE = CommandPin(
    precondition="doze",
    name="device idle",
    reading="dumpsys deviceidle enabled",
    pattern=r"^([01])\s*$",
    writing={"0": "dumpsys deviceidle disable", "1": "dumpsys deviceidle enable"},
    wanted="0",
)


def test_a_key_that_was_not_set_is_deleted_again(new_phone: Controls, new_device: AdbDevice) -> None:
    assert KEY.read(new_device) == ABSENT
    assert KEY.due(ABSENT)
    KEY.write(new_device, KEY.wanted)
    assert KEY.read(new_device) == "0"
    KEY.write(new_device, ABSENT)
    assert KEY.read(new_device) == ABSENT
    assert "suite_test_key" not in new_phone.phone.state.settings["system"]


def test_numbers_are_compared_as_numbers() -> None:
    assert KEY.verify("0", "0.0")
    assert not KEY.verify("0", ABSENT)
    assert not KEY.verify("nan", "other")


def test_a_state_is_set_by_the_command_of_its_value(new_phone: Controls, new_device: AdbDevice) -> None:
    assert IDLE.read(new_device) == "1"
    IDLE.write(new_device, "0")
    assert not new_phone.idle_enabled
    assert IDLE.read(new_device) == "0"
    with pytest.raises(StateError, match="device idle cannot be set to 'both'"):
        IDLE.write(new_device, "both")


def test_a_state_that_the_command_does_not_report(new_phone: Controls, new_device: AdbDevice) -> None:
    pin = replace(IDLE, pattern="^(never printed)$")
    with pytest.raises(
        StateError, match="device idle cannot be read: 'dumpsys deviceidle enabled' printed"
    ):
        pin.read(new_device)
    assert replace(IDLE, values={"1": "on"}).read(new_device) == "on"
    assert replace(IDLE, otherwise="off").read(new_device) == "off"
