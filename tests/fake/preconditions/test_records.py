"""Values that are only recorded, also those that cannot be read, with the reason."""

from __future__ import annotations

from harness.device.adb.adb_device import AdbDevice
from harness.device.preconditions.memory_pins import mglru
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.pins import ABSENT, FileRecord, sysctl
from harness.device.preconditions.records import RecordOnly
from tests.stand_ins.device import FakeDevice

LRU_GEN = "/sys/kernel/mm/lru_gen/enabled"


def test_what_is_suppressed_is_neither_set_nor_watched(fake: FakeDevice, device: AdbDevice) -> None:
    with PinnedState(device) as state:
        state.apply([RecordOnly(sysctl("vm.swappiness", 100))])
        fake.files.write("/proc/sys/vm/swappiness", b"77")
        assert state.drifted() == []
        (row,) = state.record()
    assert (row["name"], row["before"], row["set"]) == ("vm.swappiness", "60", None)
    assert fake.files.read("/proc/sys/vm/swappiness") == b"77\n"


def test_an_unreadable_value_is_recorded_with_the_reason(device: AdbDevice) -> None:
    value = RecordOnly(sysctl("vm.kcompressd", 1)).read(device)
    assert value.startswith("unknown: vm.kcompressd: /proc/sys/vm/kcompressd cannot be read: ")
    assert "No such file" in value


def test_an_lru_that_is_recorded_must_not_change(fake: FakeDevice, device: AdbDevice) -> None:
    with PinnedState(device) as state:
        state.apply([mglru(None)])
        assert state.drifted() == []
        fake.files.put(LRU_GEN, "0x0000\n")
        assert state.drifted() == ["lru_gen: set 0x0007, now 0x0000"]
    fake.files.remove(LRU_GEN)
    assert FileRecord("lru_gen", LRU_GEN).read(device) == ABSENT
