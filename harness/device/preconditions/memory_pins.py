"""The ``[device]`` table of a profile as preconditions: the memory settings of any device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.pins import FilePin, FileRecord, selected_choice, sysctl, write_file
from harness.device.preconditions.protocol import Pin, Precondition
from harness.device.preconditions.zram import ZramPin
from workloads.profile import DevicePins

_NEVER: Final = "never"
#: A size of huge pages that follows the global switch, which is ``never``, is not used either.
_UNUSED: Final = (_NEVER, "inherit")
_LRU_GEN: Final = "/sys/kernel/mm/lru_gen/enabled"
#: All of its components, or none (Documentation/admin-guide/mm/multigen_lru.rst).
_MGLRU: Final = {True: "0x0007", False: "0x0000"}


def pins_for(
    settings: DevicePins, zram: Pin | None = None, *, swap_readings: int = 1
) -> list[Precondition]:
    """The profile's memory settings and no huge pages; an LRU that the profile leaves open is recorded.

    ``zram`` (`zram_pin`; None: as the profile asks) is the last pin, so that swap is empty for the check
    after it, which takes ``swap_readings``.
    """
    return [
        thp_never(),
        SizedHugePages(),
        mglru(None if settings.mglru is None else _MGLRU[settings.mglru]),
        swappiness(settings.swappiness),
        page_cluster(settings.page_cluster),
        zram or ZramPin(settings.zram_mb, settings.zram_algorithm),
        EmptySwap(readings=swap_readings),
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


@dataclass(frozen=True)
class SizedHugePages:
    """A `Pin` of the sizes of transparent huge pages that have a switch of their own: none is used.

    The value lists those that do not follow the global switch (``16kB=always 64kB=madvise``), or is
    ``never``, also on a kernel without such switches: they came with 6.8, and to Android's 6.6. Writing
    needs root. Documentation/admin-guide/mm/transhuge.rst.
    """

    wanted: str = _NEVER

    name = "transparent_hugepage by size"
    precondition = "huge-pages"
    survives_restart = False
    advice = "find what else sets it (an init script, a vendor daemon)"

    def due(self, before: str) -> bool:
        """Whether a size is used."""
        return before != self.wanted

    def read(self, device: Device) -> str:
        """Every size that may be used, or ``never``."""
        used = [f"{size}={value}" for size, value in self._switches(device).items() if value not in _UNUSED]
        return " ".join(used) or _NEVER

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are equal."""
        return wanted == got

    def write(self, device: Device, value: str) -> None:
        """Set the sizes of ``value``, and others that are used to ``never``. StateError with the reason."""
        asked = dict(pair.split("=") for pair in value.split() if "=" in pair)
        for size, now in self._switches(device).items():
            then = asked.get(size, now if now in _UNUSED else _NEVER)
            if then != now:
                write_file(device, f"{self.name}: {size}", _sized(size), then)

    def _switches(self, device: Device) -> dict[str, str]:
        # Both list the files in the order of their names.
        pattern = _sized("*kB")
        answers = ask_all(device, {"paths": f"ls -d {pattern}", "values": f"cat {pattern}"})
        if not answers["values"].ok:
            return {}
        paths, values = answers["paths"].text.split(), answers["values"].text.splitlines()
        sizes = (path.removesuffix("/enabled").rpartition("hugepages-")[2] for path in paths)
        return dict(zip(sizes, map(selected_choice, values), strict=True))


def _sized(size: str) -> str:
    return f"/sys/kernel/mm/transparent_hugepage/hugepages-{size}/enabled"


def mglru(value: str | None) -> FilePin | FileRecord:
    """Multi-generational LRU (``0x0007``, ``0x0000``); None only records which LRU was measured.

    A kernel without it is an error only if a value is given.
    """
    if value is None:
        return FileRecord("lru_gen", _LRU_GEN, precondition="mglru", steady=True)
    return _MglruPin("lru_gen", _LRU_GEN, value, precondition="mglru")


class _MglruPin(FilePin):
    """The kernel keeps only the bits that its processor has: arm64 answers 0x0003 to 0x0007."""

    def due(self, before: str) -> bool:
        return before.split() != self.wanted.split()

    def verify(self, wanted: str, got: str) -> bool:
        if wanted != _MGLRU[True]:
            return super().verify(wanted, got)
        return got in ("0x0001", "0x0003", "0x0007")
