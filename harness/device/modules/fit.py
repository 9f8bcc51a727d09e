"""Whether a pair of module files may replace the pair that a kernel has loaded; decided on the host.

The kernel compares as kernel/module/version.c does: with checksums (CONFIG_MODVERSIONS) the release in the
vermagic may differ, and each symbol's checksum decides. So the phone's own files say what it expects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from foundation.errors import UsageError
from harness.device.modules.elf import ModuleInfo, canonical, parse_module
from harness.device.modules.module_file import module_bytes


@dataclass(frozen=True)
class OwnModules:
    """The device's own pair, to be loaded again from its own files."""


@dataclass(frozen=True)
class PairFiles:
    """The files of a zsmalloc and of a zram module on the host, read once; ``parameters`` are zram's, as
    insmod takes them."""

    zsmalloc: Path
    zram: Path
    parameters: str = ""

    @cached_property
    def contents(self) -> tuple[bytes, bytes]:
        """The unpacked files: zsmalloc, zram. UsageError."""
        return module_bytes(self.zsmalloc), module_bytes(self.zram)

    @cached_property
    def infos(self) -> tuple[ModuleInfo, ModuleInfo]:
        """What they say of themselves. UsageError."""
        zsmalloc, zram = self.contents
        return parse_module(zsmalloc, str(self.zsmalloc)), parse_module(zram, str(self.zram))

    def check(self) -> None:
        """Check that they are a pair that can be proved. UsageError."""
        zsmalloc, zram = self.infos
        for path, info, word in ((self.zsmalloc, zsmalloc, "zsmalloc"), (self.zram, zram, "zram")):
            if word not in info.name:
                raise UsageError(
                    f"{path} is the module {info.name}, not {word}", next_step="swap the files"
                )
            if info.srcversion is None and info.build_id is None:
                raise UsageError(
                    f"{path} has neither srcversion nor build id: nothing would prove that it is loaded",
                    next_step="link it with --build-id, or build with CONFIG_MODULE_SRCVERSION_ALL=y",
                )
        if zsmalloc.vermagic != zram.vermagic:
            raise UsageError(
                f"{self.zsmalloc} is for '{zsmalloc.vermagic}', {self.zram} for '{zram.vermagic}'",
                next_step="give a pair of one build",
            )
        given = (word.partition("=")[0] for word in self.parameters.split())
        if unknown := [name for name in given if name not in zram.parameters]:
            known = ", ".join(sorted(zram.parameters)) or "none"
            raise UsageError(
                f"{self.zram} has no parameter {unknown[0]}", next_step=f"its parameters: {known}"
            )


def misfits(new: ModuleInfo, own: ModuleInfo) -> Iterator[str]:
    """Why the kernel that loaded ``own`` would refuse ``new``; nothing if the files speak for it."""
    if new.arch != own.arch:
        yield f"it is for {new.arch or 'another machine'}, the phone's {own.name}.ko for {own.arch}"
        return
    if _magic(new) != _magic(own):
        yield f"its vermagic is '{new.vermagic}', the kernel's '{own.vermagic}'"
        return
    used = new.checksums
    differing = [name for name, checksum in own.checksums.items() if used.get(name, checksum) != checksum]
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        yield f"it was built against another {differing[0]}{more} (checksums differ)"


def missing_modules(pair: tuple[ModuleInfo, ModuleInfo], loaded: frozenset[str]) -> list[str]:
    """Modules that the pair needs and that are not loaded, other than the pair itself; sorted."""
    needed = {canonical(name) for info in pair for name in info.depends}
    return sorted(needed - loaded - {info.name for info in pair})


def _magic(info: ModuleInfo) -> str:
    """The vermagic as same_magic of kernel/module/version.c compares it."""
    return info.vermagic.partition(" ")[2] if info.checksums else info.vermagic
