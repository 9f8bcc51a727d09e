"""A fake Android device: adb's transport on a real socket, a shell over files in memory, and faults."""

from __future__ import annotations

from tests.stand_ins.device.daemon import FakeDevice
from tests.stand_ins.device.faults import Faults
from tests.stand_ins.device.host_shell import HostShell
from tests.stand_ins.device.tree import Attribute, Node, Tree, choice, number
from tests.stand_ins.device.zram_model import SwapSetup, ZramModel

__all__ = [
    "Attribute",
    "FakeDevice",
    "Faults",
    "HostShell",
    "Node",
    "SwapSetup",
    "Tree",
    "ZramModel",
    "choice",
    "number",
]
