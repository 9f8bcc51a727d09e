"""The ``[device]`` table of a profile as preconditions: the memory settings of any device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from foundation.contract.records import BlockResult
from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.pins import ABSENT, FilePin, FileRecord, sysctl
from harness.device.preconditions.protocol import Precondition
from harness.device.preconditions.zram import ZramPin
from workloads.profile import DevicePins

_LRU_GEN: Final = "/sys/kernel/mm/lru_gen/enabled"
#: All of its components, or none (Documentation/admin-guide/mm/multigen_lru.rst).
_OFF: Final = "0x0000"
_MGLRU: Final = {True: "0x0007", False: _OFF}


def pins_for(settings: DevicePins) -> list[Precondition]:
    """The profile's memory settings and no huge pages; an LRU that the profile leaves open is recorded.

    zram is the last pin, so that swap is empty for the check after it.
    """
    return [
        thp_never(),
        mglru(None if settings.mglru is None else _MGLRU[settings.mglru]),
        swappiness(settings.swappiness),
        page_cluster(settings.page_cluster),
        ZramPin(settings.zram_mb, settings.zram_algorithm),
        EmptySwap(),
    ]


def swappiness(value: int) -> FilePin:
    """vm.swappiness, 0 to 200."""
    return sysctl("vm.swappiness", value, "swappiness")


def page_cluster(value: int) -> FilePin:
    """vm.page-cluster: log2 of the pages that one swap-in reads."""
    return sysctl("vm.page-cluster", value, "page-cluster")


def thp_never() -> FilePin:
    """No transparent huge pages: they reach zram another way. A kernel without them reads as 'never'."""
    return FilePin(
        "transparent_hugepage",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "never",
        optional=True,
        absent_as="never",
        precondition="huge-pages",
    )


def mglru(value: str | None) -> FilePin | FileRecord:
    """Multi-generational LRU (``0x0007``, ``0x0000``); None only records which LRU was measured.

    A kernel without it is an error only if a value is given.
    """
    if value is None:
        return FileRecord("lru_gen", _LRU_GEN, precondition="mglru", steady=True)
    return _MglruPin("lru_gen", _LRU_GEN, value, precondition="mglru")


def mglru_as_found(blocks: Iterable[BlockResult]) -> FilePin | None:
    """The LRU that the first of these blocks recorded, as a pin for later ones; None if none did.

    init and a server's flags set it on phones, also to single components (system/core/rootdir/init.rc,
    persist.device_config.mglru_native.lru_gen_config).
    """
    for block in blocks:
        for pin in block.pins:
            value = _OFF if pin.after == ABSENT else pin.after or ""
            if pin.name == "lru_gen" and value.startswith("0x"):
                return FilePin(
                    "lru_gen", _LRU_GEN, value, optional=True, absent_as=_OFF, precondition="mglru"
                )
    return None


class _MglruPin(FilePin):
    """The kernel keeps only the bits that its processor has: arm64 answers 0x0003 to 0x0007."""

    def due(self, before: str) -> bool:
        return before.split() != self.wanted.split()

    def verify(self, wanted: str, got: str) -> bool:
        if wanted != _MGLRU[True]:
            return super().verify(wanted, got)
        return got in ("0x0001", "0x0003", "0x0007")
