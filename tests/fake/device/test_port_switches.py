"""Switches of published ports on a phone: alternated in one boot, read back, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.device.adb.adb_server import AdbServer
from harness.device.identity import prove, read_identity
from harness.device.lane_phone import PhoneLane, open_phone
from harness.device.port_switches import SWITCHES
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.zram import ZramPin
from harness.variants.variant import Variant
from tests.stand_ins.device import FakeDevice, number
from tests.stand_ins.device.mediatek_zram import PATH, MediatekZram
from tests.variants import boot_into, phone_variant

MARIE = "/sys/kernel/mm/lru_marie/kcompressd"


@pytest.fixture
def lane(adb: AdbServer, fake: FakeDevice) -> Iterator[PhoneLane]:
    fake.zram.setup(size_mb=256, algorithm="lz4", priority=32758)
    adb.connect(fake.serial)
    opened = open_phone("phone-0", serial=fake.serial, adb_port=adb.port)
    yield opened
    opened.close()


def is_proved(lane: PhoneLane, variant: Variant) -> None:
    wanted = variant.expectation(lane)
    prove(read_identity(boot_into(lane, variant), wanted), wanted)


def test_the_mode_of_mediateks_zram_survives_the_block(lane: PhoneLane, fake: FakeDevice) -> None:
    """The driver takes it only while it is reset, and every reset of the block forgets it."""
    zram = MediatekZram(fake.zram, fake.files)
    threads, none = (phone_variant(f"v=param:{PATH}={mode}") for mode in ("kcompressd", "swonly"))
    for variant, mode in ((threads, "kcompressd"), (none, "swonly"), (threads, "kcompressd")):
        is_proved(lane, variant)
        with PinnedState(boot_into(lane, variant)) as state:
            state.apply([ZramPin(128, "zstd")])
            assert (zram.mode, fake.zram.disksize >> 20) == (mode, 128)
        assert (zram.mode, fake.zram.disksize >> 20) == (mode, 256)
    lane.close()
    assert (zram.mode, fake.zram.disksize >> 20, fake.zram.swap_priority) == ("hybrid", 256, 32758)
    assert fake.boots == 1


def test_the_switch_of_lru_marie(lane: PhoneLane, fake: FakeDevice) -> None:
    fake.files.put(MARIE, number(24, -100, 100))
    for value in ("0", "-24", "100"):
        is_proved(lane, phone_variant(f"v=param:{MARIE}={value}"))
    lane.close()
    assert fake.files.read(MARIE).strip() == b"24"


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("sysctl:vm.kcompressd=257", "has no value '257' -> values: 0 to 256"),
        ("sysctl:vm.kcompressd=on", "has no value 'on' -> values: 0 to 256"),
        (f"param:{MARIE}=-101", "has no value '-101' -> values: -100 to 100"),
        (f"param:{PATH}=software", "has no value 'software' -> values: hybrid, hwonly, swonly"),
        ("param:/sys/module/kcompressd/parameters/nr_kcompressd=0", "is no switch: a write that works"),
        ("param:/sys/module/zram/parameters/queue_size_per_kcompressd=1", "is no switch"),
        ("param:/proc/oplus_mem/kcompressd_debug=0", "is no switch: the file can only be read"),
    ],
)
def test_a_value_that_a_port_does_not_have_is_refused_at_once(variant: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        phone_variant(f"v={variant}")
    assert said in str(caught.value)


def test_every_switch_has_a_source_and_values_of_its_own() -> None:
    for switch in SWITCHES:
        assert switch.source
        for value in filter(None, (switch.off, switch.on)):
            switch.check(value)
        assert (switch.refused is None) == (switch.off is not None)


def test_the_page_lists_every_switch() -> None:
    page = (Path(__file__).parents[3] / "docs" / "phone-measuring.md").read_text(encoding="utf-8")
    for switch in SWITCHES:
        values = switch.values if switch.refused is None else "none"
        assert f"| `{switch.path}` | {switch.port} ({switch.source}) | {values} |" in page
