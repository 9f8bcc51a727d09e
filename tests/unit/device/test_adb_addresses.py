"""How adb reaches a device: a network would be cut by airplane mode, and ends at a restart."""

from __future__ import annotations

import pytest

from foundation.errors import UsageError
from harness.device.adb.addresses import is_address, is_emulator, over_network
from harness.device.lane_phone import check_restarts
from harness.device.phone_facts import emulator_of

WIRELESS = "adb-R5CX826Q9VB-IjsOKx._adb-tls-connect._tcp"


@pytest.mark.parametrize(
    ("serial", "network"),
    [
        ("R5CX826Q9VB", False),
        ("emulator-5554", False),
        ("127.0.0.1:5555", False),
        ("localhost:5555", False),
        ("0.0.0.0:6520", False),
        ("[::1]:5555", False),
        ("vsock:3:5555", False),
        ("192.168.1.7:5555", True),
        ("[fe80::1]:5555", True),
        ("phone.example:5555", True),
        (WIRELESS, True),
    ],
)
def test_over_network(serial: str, network: bool) -> None:
    assert over_network(serial) is network


def test_addresses_and_emulators() -> None:
    assert [is_address(s) for s in ("0.0.0.0:6520", "vsock:3:5555", "emulator-5554")] == [True, True, False]
    assert [is_emulator(s) for s in ("emulator-5554", "emulator-x", "R5CX826Q9VB")] == [True, False, False]


@pytest.mark.parametrize("serial", ["192.168.1.7:5555", WIRELESS])
def test_a_phone_on_the_air_is_not_restarted(serial: str) -> None:
    with pytest.raises(UsageError, match=r"ends when the phone restarts, so --reboot-between .*USB"):
        check_restarts(serial, reboot_between=True, kernels=None)
    with pytest.raises(UsageError, match=r"so variants boot: and flash: cannot work"):
        check_restarts(serial, reboot_between=False, kernels={"patched": None})
    check_restarts(serial, reboot_between=False, kernels={})


def test_a_phone_on_a_cable_and_cuttlefish_are() -> None:
    for serial in ("R5CX826Q9VB", "0.0.0.0:6520"):
        check_restarts(serial, reboot_between=True, kernels={"patched": None})


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({"ro.hardware": "shiba"}, None),
        ({"ro.hardware": "qcom", "ro.boot.qemu": "0"}, None),
        ({"ro.hardware": "ranchu", "ro.boot.qemu": "1"}, "the Android emulator"),
        ({"ro.hardware": "goldfish", "ro.kernel.qemu": "1"}, "the Android emulator"),
        ({"ro.hardware": "cutf_cvm"}, "Cuttlefish"),
        ({"ro.hardware": "mine", "ro.boot.qemu": "1"}, "an emulator"),
    ],
)
def test_emulators_by_their_properties(properties: dict[str, str], found: str | None) -> None:
    assert emulator_of(properties) == found
