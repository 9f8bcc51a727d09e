"""zram0 and swap as the kernel answers for them: order of steps, EBUSY, EINVAL, bracketed algorithms.

Behaviour from drivers/block/zram/zram_drv.c and mm/swapfile.c.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final

from tests.stand_ins.device.tree import Attribute, Node, Tree, refuse

ALGORITHMS: Final = ("lzo", "lzo-rle", "lz4", "zstd")
_PAGE: Final = 4096


class ZramModel:
    """One zram device with its files, and the programs that use it."""

    def __init__(self, node: str = "/dev/block/zram0") -> None:
        self.node = node
        self.opened_by_other = False
        self.swapoff_error: int | None = None
        self.algorithms: tuple[str, ...] = ALGORITHMS
        self.boot()

    def boot(self) -> None:
        """As the kernel makes it."""
        self.disksize = 0
        self.algorithm = "lzo-rle"
        self.backing = "none"
        self.formatted = False
        self.swap_priority: int | None = None
        self.used_kb = 0
        self._next_priority = -2

    def install(self, tree: Tree) -> None:
        """Put its files into ``tree``."""
        base = "/sys/block/zram0"
        tree.put(f"{base}/disksize", Attribute(lambda: str(self.disksize), self._set_disksize))
        tree.put(f"{base}/comp_algorithm", Attribute(self._algorithms, self._set_algorithm))
        tree.put(f"{base}/backing_dev", Attribute(lambda: self.backing, self._set_backing))
        tree.put(f"{base}/reset", Attribute(lambda: "", self._reset))
        tree.put("/proc/swaps", Attribute(self._swaps, size=0))
        tree.put(self.node, Node())

    def setup(self, *, size_mb: int, algorithm: str, priority: int | None = None, used_kb: int = 0) -> None:
        """Bring it into use, as an init script would have."""
        self.algorithm = algorithm
        self.disksize = size_mb * 1024 * 1024
        self.formatted = True
        self.swapon(priority)
        self.used_kb = used_kb

    @property
    def is_swap(self) -> bool:
        return self.swap_priority is not None

    def mkswap(self, argv: Sequence[str]) -> str:
        """Output of the program. OSError."""
        self._own(argv[-1])
        if self.is_swap:
            raise refuse(errno.EBUSY)
        if not self.disksize:
            raise refuse(errno.EINVAL)
        self.formatted = True
        return f"Swapspace size: {self.disksize // 1024 - 4}k\n"

    def swapon_argv(self, argv: Sequence[str]) -> str:
        self._own(argv[-1])
        words = list(argv[1:-1])
        self.swapon(int(words[words.index("-p") + 1]) if "-p" in words else None)
        return ""

    def swapon(self, priority: int | None) -> None:
        if self.is_swap:
            raise refuse(errno.EBUSY)
        if not self.formatted:
            raise refuse(errno.EINVAL)
        self.swap_priority = self._next_priority if priority is None else priority
        if priority is None:
            self._next_priority -= 1

    def swapoff(self, argv: Sequence[str]) -> str:
        self._own(argv[-1])
        if not self.is_swap:
            raise refuse(errno.EINVAL)
        if self.swapoff_error is not None:
            raise refuse(self.swapoff_error)
        self.swap_priority = None
        self.used_kb = 0
        return ""

    def _own(self, node: str) -> None:
        if node != self.node:
            raise refuse(errno.ENOENT)

    def _algorithms(self) -> str:
        return " ".join(f"[{name}]" if name == self.algorithm else name for name in self.algorithms)

    def _set_algorithm(self, text: str) -> None:
        if self.disksize:
            raise refuse(errno.EBUSY)
        if text not in self.algorithms:
            raise refuse(errno.EINVAL)
        self.algorithm = text

    def _set_backing(self, text: str) -> None:
        if self.disksize:
            raise refuse(errno.EBUSY)
        self.backing = text

    def _set_disksize(self, text: str) -> None:
        if self.disksize:
            raise refuse(errno.EBUSY)
        if not text.isdigit() or text == "0":
            raise refuse(errno.EINVAL)
        self.disksize = -(-int(text) // _PAGE) * _PAGE

    def _reset(self, text: str) -> None:
        if text != "1":
            raise refuse(errno.EINVAL)
        if self.is_swap or self.opened_by_other:
            raise refuse(errno.EBUSY)
        self.disksize = 0
        self.formatted = False
        self.backing = "none"
        # Since 6.2 a reset also brings the built-in algorithm back.
        self.algorithm = "lzo-rle"

    def _swaps(self) -> str:
        lines = ["Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"]
        if self.swap_priority is not None:
            size_kb = self.disksize // 1024 - 4
            lines.append(
                f"{self.node}                         partition\t{size_kb}\t\t{self.used_kb}"
                f"\t\t{self.swap_priority}"
            )
        return "\n".join(lines)
