"""MediaTek's zram: a mode that is set only while it is reset, and that a reset forgets.

Behaviour from its zram_drv.c: comp_mode_store (EBUSY once there is a size), comp_mode_set (an unknown word
gives the default), zram_reset_device (the default again).
"""

from __future__ import annotations

import errno
from typing import Final

from tests.stand_ins.device.tree import Attribute, Tree, refuse
from tests.stand_ins.device.zram_model import ZramModel

PATH: Final = "/sys/block/zram0/comp_mode"
DEFAULT: Final = "hybrid"
MODES: Final = ("hybrid", "hwonly", "swonly", "kcompressd:hw", "kcompressd")


class MediatekZram:
    """The mode of ``zram``."""

    def __init__(self, zram: ZramModel, tree: Tree) -> None:
        self.mode = DEFAULT
        self._zram = zram
        self._reset = tree.node("/sys/block/zram0/reset")
        tree.put(PATH, Attribute(self._show, self._store))
        tree.put("/sys/block/zram0/reset", Attribute(lambda: "", self._forget))

    def _show(self) -> str:
        return " ".join(f"[{mode}]" if mode == self.mode else mode for mode in MODES)

    def _store(self, text: str) -> None:
        if self._zram.disksize:
            raise refuse(errno.EBUSY)
        self.mode = text if text in MODES else DEFAULT

    def _forget(self, text: str) -> None:
        self._reset.write(text.encode())
        self.mode = DEFAULT
