"""The switches of published ports of the compression thread, by the file that each is.

What is known of each comes from its source text, which ``source`` names. Paths are patterns (fnmatch); a
value is a number of ``numbers`` or one of ``words``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from foundation.errors import UsageError


@dataclass(frozen=True)
class PortSwitch:
    """``off`` and ``on`` are values to compare, None where there is no such pair. ``refused`` is why the
    suite does not write it, None if it does."""

    path: str
    port: str
    source: str
    remark: str
    numbers: range | None = None
    words: tuple[str, ...] = ()
    off: str | None = None
    on: str | None = None
    refused: str | None = None

    @property
    def values(self) -> str:
        """The values in words."""
        if self.numbers is not None:
            return f"{self.numbers[0]} to {self.numbers[-1]}"
        return ", ".join(self.words) or "none"

    def check(self, value: str) -> None:
        """UsageError for a value that the port does not have, and for a switch that is not written."""
        if self.refused is not None:
            raise UsageError(
                f"{self.path} of {self.port} is no switch: {self.refused}",
                next_step="compare two kernels, or two pairs of modules (module:)",
            )
        number = int(value) if value.removeprefix("-").isdigit() else None
        if value in self.words or (self.numbers is not None and number in self.numbers):
            return
        raise UsageError(
            f"{self.path} of {self.port} has no value '{value}'", next_step=f"values: {self.values}"
        )


SWITCHES: Final = (
    PortSwitch(
        "/proc/sys/vm/kcompressd",
        "kcompressd-unofficial (mm/page_io.c)",
        "firelzrd/kcompressd-unofficial 0.5, kernel/sysctl.c and mm/page_io.c",
        "pages that may wait; 0 compresses in kswapd; default 24",
        numbers=range(257),
        off="0",
        on="24",
    ),
    PortSwitch(
        "/sys/kernel/mm/lru_marie/kcompressd",
        "lru_marie",
        "firelzrd/lru_marie, mm/marie.h",
        "pages that may wait, negative also without its LRU; 0 compresses in kswapd; default 24",
        numbers=range(-100, 101),
        off="0",
        on="24",
    ),
    PortSwitch(
        "/sys/block/zram*/comp_mode",
        "MediaTek's zram",
        "MediaTek's zram_drv.c (comp_mode_store, zram_reset_device, disksize_store)",
        "set while zram is reset, so swap goes off and on; an unknown word, and every reset, give the"
        " driver's default; pages of other sizes than 4 KiB, and failing hardware, give swonly; `ndc:` only"
        " where it is built",
        words=(
            *("hybrid", "hwonly", "swonly", "kcompressd:hw", "kcompressd"),
            *("ndc:hybrid", "ndc:hwonly"),
        ),
        off="swonly",
        on="kcompressd",
    ),
    PortSwitch(
        "/sys/module/*/parameters/nr_kcompressd",
        "kcompressd of March 2025",
        "drivers/block/zram/kcompressd.c of 2025-03-07 (do_nr_kcompressd_handler)",
        "its descendants (OPPO) make it read-only",
        refused="a write that works is answered with EINVAL and leaves the threads off for good, and stops"
        " threads that may never have started",
    ),
    PortSwitch(
        "/sys/module/*/parameters/queue_size_per_kcompressd",
        "kcompressd of March 2025",
        "drivers/block/zram/kcompressd.c of 2025-03-07 (do_queue_size_per_kcompressd_handler)",
        "its descendants (OPPO) make it read-only",
        refused="a write that works is answered with EINVAL and leaves the threads off for good, and stops"
        " threads that may never have started",
    ),
    PortSwitch(
        "/proc/oplus_mem/kcompressd_debug",
        "OPPO's zram",
        "OPPO's kcompressd.c (kcompressd_proc_stat_show)",
        "its line enable_kcompressd says whether the threads are used",
        refused="the file can only be read; the kernel's command line or its configuration at boot decide",
    ),
)


def switch_at(path: str) -> PortSwitch | None:
    """The switch that the file ``path`` is, if it is one of a published port."""
    return next((one for one in SWITCHES if fnmatchcase(path, one.path)), None)
