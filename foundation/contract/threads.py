r"""The one table of which kernel thread plays which role in reclaim.

The names are those of mainline, of the kcompressd patch sets and their ports, and of vendor
kernels. The kernel cuts a comm at 15 characters (TASK_COMM_LEN, include/linux/sched.h), so no
pattern is longer. The patterns work in Python, as POSIX extended regular expressions (the
poller) and in SQL (`analysis.sql.roles`): no ``\d``.
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
    """The role of a thread by its comm; None for a thread without one."""
    return next((role for role, pattern in _COMPILED.items() if pattern.match(comm)), None)
