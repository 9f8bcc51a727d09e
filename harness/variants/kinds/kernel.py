"""A kernel that the user built, on the virtual device."""

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
    """An image and a folder of modules, which may be empty if all is built in."""

    word: ClassVar[str] = "kernel"
    usage: ClassVar[str] = "kernel:image=FILE,modules=DIR"
    summary: ClassVar[str] = "a kernel of your own on the virtual device"

    image: Path = field(metadata=option(path, "FILE", "the bzImage"))
    modules: Path = field(metadata=option(path, "DIR", "the folder of its modules"))

    def check(self) -> None:
        self.recipe()

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        return Recipe.of(user_bundle(self.image, self.modules))
