"""One phone of a new Android, as root, and the suite's device for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device.android import SAMSUNG, android_phone
from tests.stand_ins.device.android.controls import Controls


@pytest.fixture
def new_phone(adb: AdbServer) -> Iterator[Controls]:
    with android_phone(34, "userdebug", SAMSUNG, root=True) as phone:
        yield Controls(phone).install()
        adb.disconnect(phone.serial)


@pytest.fixture
def new_device(adb: AdbServer, new_phone: Controls) -> AdbDevice:
    return AdbDevice(adb, adb.connect(new_phone.phone.serial))
