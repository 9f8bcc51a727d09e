"""Thermal status, battery and background work of a phone, in one round trip."""

from __future__ import annotations

from harness.device.adb.adb_device import AdbDevice
from harness.device.preconditions.phone_condition import read_condition
from tests.stand_ins.device.android.controls import Controls


def test_a_hot_phone_off_its_cable(new_phone: Controls, new_device: AdbDevice) -> None:
    state = new_phone.phone.state
    state.thermal_status, state.battery_dc, state.battery_percent, state.plugged = 2, 402, 41, None
    found = read_condition(new_device)
    assert (found.thermal_status, found.battery_c, found.battery_percent) == (2, 40.2, 41)
    assert (found.plugged, found.charging, found.compiling) == (False, False, False)
    assert found.to_json()["battery_c"] == 40.2
