"""A phone and its bench for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import (
    SuiteError,
)
from harness.device.adb.adb_server import AdbServer
from harness.device.fastboot import boot_locator, phone_kernels
from tests.fake.phone_kernels.bench import Bench
from tests.stand_ins.bootloader.phone import FlashablePhone


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a test."""
    monkeypatch.setattr(boot_locator, "SHOW_UP_S", 3.0)
    monkeypatch.setattr(boot_locator, "TAKEN_BACK_S", 0.3)
    monkeypatch.setattr(phone_kernels, "BOOTLOADER_S", 3.0)


@pytest.fixture
def phone() -> Iterator[FlashablePhone]:
    with FlashablePhone() as made:
        yield made


@pytest.fixture
def bench(adb: AdbServer, phone: FlashablePhone, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(adb, phone, tmp_path)
    yield made
    phone.bootloader.faults.fail.clear()
    for lane in made.lanes:
        try:
            lane.close()
        except SuiteError:
            assert phone.place != "android", "a test's phone that is well must be put back"
    adb.disconnect(made.serial)
