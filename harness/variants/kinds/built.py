"""Kernels built on this host from Debian's source: plain, and with our thread above zram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from foundation.progress import Progress
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.virtual.kernels.built import built_bundle, thread_bundle, thread_patch
from harness.virtual.kernels.built.config import suite_config
from harness.virtual.recipe import Recipe

LIVE_COUNTER: Final = "/sys/kernel/mm/kcompressd/done"


@dataclass(frozen=True)
class Built(VirtualKind):
    """Debian's source of the base with our configuration."""

    word: ClassVar[str] = "built"
    usage: ClassVar[str] = "built"
    summary: ClassVar[str] = (
        "Debian's source of the base with our configuration, unpatched: the baseline for `patch`, and on"
        " 6.12 for `kcompressd`"
    )

    def check(self) -> None:
        """Check that the base can be built. UsageError."""
        suite_config(self.base)

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """Debian's source as built here; it has no compression thread."""
        return Recipe.of(built_bundle(self.base, progress), compression_thread=False)


@dataclass(frozen=True)
class PageIoKcompressd(VirtualKind):
    """`Built` with the compression thread above zram."""

    word: ClassVar[str] = "kcompressd-page-io"
    usage: ClassVar[str] = "kcompressd-page-io"
    summary: ClassVar[str] = "`built` with our compression thread above zram, called in `mm/page_io.c`"

    def check(self) -> None:
        """Check that the base can be built, and that the thread is written for it. UsageError."""
        suite_config(self.base)
        thread_patch(self.base)

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """The patched source as built here; its thread counts pages at `LIVE_COUNTER`."""
        return Recipe.of(
            thread_bundle(self.base, progress), compression_thread=True, live_counter=LIVE_COUNTER
        )
