"""A kernel that the user built, for the virtual device."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from foundation.progress import Progress
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.variants.option import option, path
from harness.virtual.kernels import user_bundle
from harness.virtual.recipe import Recipe


@dataclass(frozen=True)
class OwnKernel(VirtualKind):
    """An image and a folder of modules, which may be empty if everything is built in."""

    word: ClassVar[str] = "kernel"
    usage: ClassVar[str] = "kernel:image=FILE,modules=DIR"
    summary: ClassVar[str] = "your own kernel on the virtual device"

    image: Path = field(metadata=option(path, "FILE", "the bzImage, or arm64's Image"))
    modules: Path = field(metadata=option(path, "DIR", "the folder of its modules"))

    def check(self) -> None:
        """Open both. UsageError."""
        self.recipe()

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """The user's kernel; whether it has a compression thread is not checked. UsageError."""
        return Recipe.of(user_bundle(self.image, self.modules))
