"""A fake Android device: adb's transport on a real socket, a shell over files in memory, and faults."""

from __future__ import annotations

from tests.fake.device.daemon import FakeDevice
from tests.fake.device.faults import Faults
from tests.fake.device.host_shell import HostShell
from tests.fake.device.tree import Attribute, Node, Tree, choice, number
from tests.fake.device.zram_model import ZramModel

__all__ = [
    "Attribute",
    "FakeDevice",
    "Faults",
    "HostShell",
    "Node",
    "Tree",
    "ZramModel",
    "choice",
    "number",
]
