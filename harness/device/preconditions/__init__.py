"""What must hold on a device while it is measured: pinned, checked or recorded, and put back afterwards."""

from __future__ import annotations

from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.memory_pins import mglru, page_cluster, pins_for, swappiness, thp_never
from harness.device.preconditions.names import PRECONDITIONS, parse_suppressed
from harness.device.preconditions.pinned import PinnedState, left_behind, undo_left
from harness.device.preconditions.pins import ABSENT, FilePin, sysctl, sysfs
from harness.device.preconditions.protocol import Check, Pin, Precondition, Record
from harness.device.preconditions.records import RecordOnly
from harness.device.preconditions.zram import ZramPin, ZramState

__all__ = [
    "ABSENT",
    "PRECONDITIONS",
    "Check",
    "EmptySwap",
    "FilePin",
    "Pin",
    "PinnedState",
    "Precondition",
    "Record",
    "RecordOnly",
    "ZramPin",
    "ZramState",
    "left_behind",
    "mglru",
    "page_cluster",
    "parse_suppressed",
    "pins_for",
    "swappiness",
    "sysctl",
    "sysfs",
    "thp_never",
    "undo_left",
]
