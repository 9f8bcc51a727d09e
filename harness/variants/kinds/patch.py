"""A kernel built here from Debian's source with a patch of the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from foundation.errors import UsageError
from foundation.progress import Progress
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.variants.option import one_of, option, path, text
from harness.virtual.kernels.built import patch_content, patched_bundle
from harness.virtual.recipe import Recipe

_THREAD: Final = one_of(
    {"yes": True, "no": False},
    "{key}={value} is neither yes nor no",
    "leave it out if it is not known whether the patch brings a compression thread",
)


@dataclass(frozen=True)
class Patch(VirtualKind):
    """``content`` is what `patch_content` said when the campaign was planned."""

    word: ClassVar[str] = "patch"
    usage: ClassVar[str] = "patch:FILE"
    summary: ClassVar[str] = (
        "your patch (a diff, a mail, an mbox) on Debian's source, built here; compare it with `built`"
    )
    bare: ClassVar[str | None] = "file"

    file: Path = field(metadata=option(path, "FILE", "the patch"))
    config: Path | None = field(
        default=None, metadata=option(path, "FILE", "kernel options besides ours, such as `CONFIG_X=y`")
    )
    thread: bool | None = field(
        default=None,
        metadata=option(_THREAD, "yes|no", "whether it brings a compression thread, which is then proved"),
    )
    recorded: str | None = field(
        default=None,
        metadata=option(text, "HEX", "the content of the files, which the suite fills in", key="content"),
    )

    def content(self) -> Mapping[str, str]:
        found = patch_content(self.file, self.config)
        if self.recorded not in (None, found):
            raise UsageError(
                f"{self.file} has the content {found}, not {self.recorded}",
                next_step="leave content= out, or give the file that it was",
            )
        return {"content": found}

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        bundle = patched_bundle(self.file, self.config, progress, content=self.recorded)
        return Recipe.of(bundle, compression_thread=self.thread)
