r"""The one table that says which kernel thread plays which role in reclaim.

Names seen in mainline, in the kcompressd patch sets and their ports, and in
vendor kernels. A comm is cut at 15 characters by the kernel (TASK_COMM_LEN,
include/linux/sched.h), so no pattern is longer. The patterns are plain enough for Python,
POSIX extended expressions (the poller) and SQL (`analysis.sql.roles`): no ``\d``.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Role = Literal["reclaim", "compression", "vendor_reclaim", "writeback"]

PATTERNS: Final[dict[Role, str]] = {
    "reclaim": r"^kswapd[0-9]+(:[0-9]+)?$",
    "compression": r"^(kcompressd:?[0-9]+|akcompressd:[0-9]+|zram_comp)$",
    "vendor_reclaim": r"^(hybridswapd:?[0-9]*|zswapd[0-9]+|kshrinkd.*|mi_reclaim|rtmm_(reclaim|pool))$",
    "writeback": r"^(zram[0-9]+_(wbd|prefetchd)|zram_wb_flush)$",
}

_COMPILED: Final = {role: re.compile(pattern) for role, pattern in PATTERNS.items()}


def role_of(comm: str) -> Role | None:
    """Return the role of a thread by its comm, or None for a thread without one."""
    for role, pattern in _COMPILED.items():
        if pattern.match(comm):
            return role
    return None
