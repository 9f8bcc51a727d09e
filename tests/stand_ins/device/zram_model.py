"""zram0 and swap as the kernel answers for them: order of steps, EBUSY, EINVAL, bracketed algorithms.

Behaviour from drivers/block/zram/zram_drv.c, drivers/block/loop.c and mm/swapfile.c.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.stand_ins.device.tree import Attribute, Node, Tree, refuse

ALGORITHMS: Final = ("lzo", "lzo-rle", "lz4", "zstd")
_PAGE: Final = 4096
_MIB: Final = 1024 * 1024


@dataclass
class Loop:
    """A loop device over a file of /data; empty (``size`` 0) once it is cleared."""

    size: int
    autoclear: bool

    def last_close(self) -> None:
        """An autoclear device lets go of its file when its last user is gone (__loop_clr_fd)."""
        if self.autoclear:
            self.size = 0


@dataclass(frozen=True)
class SwapSetup:
    """How the phone brings its zram into use: what is in its fstab, or in mmd's properties.

    ``backing_mb`` is the size of the file behind the loop device that fs_mgr (system/core/fs_mgr,
    PrepareZramBackingDevice, SetAutoClearStatus) and mmd (system/memory/mmd, src/zram/setup.rs)
    attach before they set the size; 0: none. ``priority`` None: not in the fstab, so the kernel's.
    """

    size_mb: int
    algorithm: str
    priority: int | None = None
    backing_mb: int = 0
    mem_limit: int = 0
    recompression: str | None = None


class ZramModel:
    """One zram device with its files, and the programs that use it.

    ``returning_kb``: what background pressure has swapped out again at the first, second, ... reading of
    /proc/swaps after a swapon; the last one stays. ``swapoff_error`` refuses swapoff, as ENOMEM does where
    the pages do not fit. ``takes_empty_backing``: an older kernel, whose backing_dev_store has no check for
    a device of size 0.
    """

    def __init__(self, node: str = "/dev/block/zram0") -> None:
        self.node = node
        self.opened_by_other = False
        self.swapoff_error: int | None = None
        self.swapon_error: int | None = None
        self.takes_empty_backing = False
        self.returning_kb: tuple[int, ...] = ()
        self.algorithms: tuple[str, ...] = ALGORITHMS
        self.loops: dict[str, Loop] = {}
        self.resets = 0
        self._tree: Tree | None = None
        self.boot()

    def boot(self) -> None:
        """As the kernel makes it."""
        self.disksize = 0
        self.algorithm = "lzo-rle"
        self.backing = "none"
        self.mem_limit = 0
        self.recompression: str | None = None
        self.writeback_limits = {"writeback_limit": "0", "writeback_limit_enable": "0"}
        self.formatted = False
        self.swap_priority: int | None = None
        self.used_kb = 0
        self._readings = 0
        for path in list(self.loops):
            self._remove_loop(path)

    def install(self, tree: Tree) -> None:
        """Put its files into ``tree``."""
        base = "/sys/block/zram0"
        self._tree = tree
        tree.put(f"{base}/disksize", Attribute(lambda: str(self.disksize), self._set_disksize))
        tree.put(f"{base}/comp_algorithm", Attribute(self._algorithms, self._set_algorithm))
        tree.put(f"{base}/recomp_algorithm", Attribute(self._recompressions, self._set_recompression))
        tree.put(f"{base}/backing_dev", Attribute(lambda: self.backing, self._set_backing))
        tree.put(f"{base}/reset", Attribute(lambda: "", self._reset))
        tree.put(f"{base}/mem_limit", Attribute(self._write_only, self._set_mem_limit))
        tree.put(f"{base}/mm_stat", Attribute(self._mm_stat))
        for name in self.writeback_limits:
            tree.put(
                f"{base}/{name}",
                Attribute(
                    partial(lambda name: self.writeback_limits[name], name),
                    partial(lambda name, text: self.writeback_limits.update({name: text}), name),
                ),
            )
        tree.put("/proc/swaps", Attribute(self._swaps, size=0))
        tree.put(self.node, Node())

    def setup(self, *, size_mb: int, algorithm: str, priority: int | None = None, used_kb: int = 0) -> None:
        """Bring it into use, as an init script would have."""
        self.set_up(SwapSetup(size_mb, algorithm, priority))
        self.used_kb = used_kb

    def set_up(self, wanted: SwapSetup) -> None:
        """What init does for ``swapon_all``, or ``mmd --setup-zram``. OSError where swap is in use."""
        if wanted.backing_mb:
            path = self.attach_loop(size_mb=wanted.backing_mb, autoclear=True)
            self._set_backing(path)
        self._set_algorithm(wanted.algorithm)
        if wanted.recompression:
            self._set_recompression(f"algo={wanted.recompression} priority=1")
        self._set_disksize(str(wanted.size_mb * _MIB))
        self.mem_limit = wanted.mem_limit
        self.mkswap([self.node])
        self.swapon(wanted.priority)

    def attach_loop(self, *, size_mb: int, autoclear: bool) -> str:
        """A new loop device; its path."""
        path = f"/dev/block/loop{29 + len(self.loops)}"
        loop = self.loops[path] = Loop(size_mb * _MIB, autoclear)
        if self._tree is not None:
            name = path.rpartition("/")[2]
            self._tree.put(path, Node())
            self._tree.put(f"/sys/class/block/{name}/size", Attribute(lambda: str(loop.size // 512)))
        return path

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
        if self.swapon_error is not None:
            raise refuse(self.swapon_error)
        # The only swap gets -2 from the kernel each time: swapoff gives the number back.
        self.swap_priority = -2 if priority is None else priority
        self._readings = 0

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

    def _recompressions(self) -> str:
        """recomp_algorithm_show: a line for each priority that has one."""
        if self.recompression is None:
            return ""
        names = (f"[{name}]" if name == self.recompression else name for name in self.algorithms)
        return f"#1: {' '.join(names)}"

    def _set_recompression(self, text: str) -> None:
        words = dict(word.partition("=")[::2] for word in text.split())
        if self.disksize:
            raise refuse(errno.EBUSY)
        if words.get("algo") not in self.algorithms or words.get("priority") != "1":
            raise refuse(errno.EINVAL)
        self.recompression = words["algo"]

    def _set_backing(self, text: str) -> None:
        if self.disksize:
            raise refuse(errno.EBUSY)
        loop = self.loops.get(text)
        if loop is None:
            raise refuse(errno.ENOENT)
        if not loop.size and not self.takes_empty_backing:
            raise refuse(errno.EINVAL)
        self.backing = text

    def _set_disksize(self, text: str) -> None:
        if self.disksize:
            raise refuse(errno.EBUSY)
        if not text.isdigit() or text == "0":
            raise refuse(errno.EINVAL)
        self.disksize = -(-int(text) // _PAGE) * _PAGE

    def _set_mem_limit(self, text: str) -> None:
        if not text.isdigit():
            raise refuse(errno.EINVAL)
        self.mem_limit = int(text)

    def _write_only(self) -> str:
        """mem_limit is DEVICE_ATTR_WO; mm_stat shows it."""
        raise refuse(errno.EACCES)

    def _mm_stat(self) -> str:
        """mm_stat_show: original, compressed, used, limit, highest, same, compacted, huge, huge since."""
        stored = self.used_kb * 1024
        return f"{stored} {stored // 4} {stored // 3} {self.mem_limit} {stored // 3} 0 0 0 0"

    def _reset(self, text: str) -> None:
        """zram_reset_device: it keeps the writeback limits alone."""
        if text != "1":
            raise refuse(errno.EINVAL)
        if self.is_swap or self.opened_by_other:
            raise refuse(errno.EBUSY)
        self.resets += 1
        if self.backing in self.loops:
            self.loops[self.backing].last_close()
        self.disksize = 0
        self.mem_limit = 0
        self.recompression = None
        self.formatted = False
        self.backing = "none"
        # Since 6.2 a reset also brings the built-in algorithm back.
        self.algorithm = "lzo-rle"

    def _remove_loop(self, path: str) -> None:
        del self.loops[path]
        if self._tree is not None:
            self._tree.remove(path)
            self._tree.remove(f"/sys/class/block/{path.rpartition('/')[2]}")

    def _swaps(self) -> str:
        lines = ["Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"]
        if self.swap_priority is not None:
            if self.returning_kb:
                self.used_kb = self.returning_kb[min(self._readings, len(self.returning_kb) - 1)]
                self._readings += 1
            size_kb = self.disksize // 1024 - 4
            lines.append(
                f"{self.node}                         partition\t{size_kb}\t\t{self.used_kb}"
                f"\t\t{self.swap_priority}"
            )
        return "\n".join(lines)
