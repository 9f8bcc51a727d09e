"""Pins of a fake device, their values before and while they are held, and a block that holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.device.adb.adb_device import AdbDevice
from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.memory_pins import mglru, page_cluster, swappiness, thp_never
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.protocol import Precondition
from harness.device.preconditions.zram import ZramPin
from tests.stand_ins.device import FakeDevice

SWAPPINESS = "/proc/sys/vm/swappiness"
CLUSTER = "/proc/sys/vm/page-cluster"
THP = "/sys/kernel/mm/transparent_hugepage/enabled"
ALGORITHM = "/sys/block/zram0/comp_algorithm"


def pins() -> list[Precondition]:
    return [
        thp_never(),
        mglru(None),
        swappiness(100),
        page_cluster(0),
        ZramPin(256, "zstd"),
        EmptySwap(),
    ]


def values(fake: FakeDevice) -> tuple[str, ...]:
    return tuple(fake.files.read(path).decode().strip() for path in (THP, SWAPPINESS, CLUSTER))


def held(
    device: AdbDevice, pins: Sequence[Precondition], *during: Callable[[], object], wait_s: float = 30.0
) -> None:
    """A block: pins applied, then what happens during it, then the restore."""
    with PinnedState(device, reconnect_deadline_s=wait_s) as state:
        state.apply(pins)
        for happens in during:
            happens()


BEFORE = ("always [madvise] never", "60", "3")
PINNED = ("always madvise [never]", "100", "0")
