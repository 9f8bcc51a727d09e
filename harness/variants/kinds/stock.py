"""Debian's kernel as it is, or the kernel that the command line puts in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from foundation.progress import Progress
from harness.variants.kind import Bindings
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.virtual.kernels import stock_bundle, user_bundle
from harness.virtual.recipe import Recipe


@dataclass(frozen=True)
class Stock(VirtualKind):
    """``own`` (image, folder of modules) is what `Bindings.kernel` puts in the place of Debian's."""

    word: ClassVar[str] = "stock"
    usage: ClassVar[str] = "stock"
    summary: ClassVar[str] = "the Debian cloud kernel as it is"

    own: tuple[Path, Path] | None = None

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        super().parse(options, bindings)
        return cls(bindings.kernel)

    def check(self) -> None:
        if self.own is not None:
            self.recipe()

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        if self.own is not None:
            # Whether a user's kernel has the thread is what is to be found out.
            return Recipe.of(user_bundle(*self.own))
        bundle = stock_bundle()
        return Recipe.of(bundle, compression_thread=bundle.compression_thread)


@dataclass(frozen=True)
class VirtualAsIs(Stock):
    """The same under the word that phones have."""

    word: ClassVar[str] = "as-is"
    usage: ClassVar[str] = "as-is"
    summary: ClassVar[str] = "the same as `stock`"
