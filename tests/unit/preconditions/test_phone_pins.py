"""How adb reaches a phone: airplane mode would cut a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from foundation.contract.device import Device
from harness.device.preconditions.phone_pins import over_network


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
