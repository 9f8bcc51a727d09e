"""Kernels built on this host from Debian's source: plain, and with our thread above zram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from foundation.progress import Progress
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.virtual.kernels.built import built_bundle, page_io_bundle
from harness.virtual.recipe import Recipe

LIVE_COUNTER: Final = "/sys/kernel/mm/kcompressd/done"


@dataclass(frozen=True)
class Built(VirtualKind):
    """Debian's source with our configuration."""

    word: ClassVar[str] = "built"
    usage: ClassVar[str] = "built"
    summary: ClassVar[str] = "Debian's source with our configuration, unpatched: the baseline for `patch`"

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """Debian's source as built here; it has no compression thread."""
        return Recipe.of(built_bundle(progress), compression_thread=False)


@dataclass(frozen=True)
class PageIoKcompressd(VirtualKind):
    """`Built` with the compression thread in ``mm/page_io.c``."""

    word: ClassVar[str] = "kcompressd-page-io"
    usage: ClassVar[str] = "kcompressd-page-io"
    summary: ClassVar[str] = "`built` with our compression thread above zram, in `mm/page_io.c`"

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """The patched source as built here; its thread counts pages at `LIVE_COUNTER`."""
        return Recipe.of(page_io_bundle(progress), compression_thread=True, live_counter=LIVE_COUNTER)
