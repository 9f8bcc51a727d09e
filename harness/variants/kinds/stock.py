"""Debian's kernel as it is, or the kernel that replaces it on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from foundation.progress import Progress
from harness.variants.kind import Bindings
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.virtual.kernels import stock_bundle, user_bundle
from harness.virtual.recipe import Recipe


@dataclass(frozen=True)
class Stock(VirtualKind):
    """``own`` (image, folder of modules) is `Bindings.kernel`, which replaces Debian's."""

    word: ClassVar[str] = "stock"
    usage: ClassVar[str] = "stock"
    summary: ClassVar[str] = "Debian's kernel for the device's base, unmodified"

    own: tuple[Path, Path] | None = None

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        """Take the kernel from ``bindings``. UsageError for any option."""
        return replace(super().parse(options, bindings), own=bindings.kernel)

    def check(self) -> None:
        """Open the user's image and modules, if there are any. UsageError."""
        if self.own is not None:
            self.recipe()

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """Debian's kernel, or the user's. UsageError."""
        if self.own is not None:
            # Whether a user's kernel has the thread is an open question.
            return Recipe.of(user_bundle(*self.own))
        bundle = stock_bundle(self.base)
        return Recipe.of(bundle, compression_thread=bundle.compression_thread)


@dataclass(frozen=True)
class VirtualAsIs(Stock):
    """`Stock` under the word that phones use."""

    word: ClassVar[str] = "as-is"
    usage: ClassVar[str] = "as-is"
    summary: ClassVar[str] = "the same as `stock`"
