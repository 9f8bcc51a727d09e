"""A kernel built on this host from Debian's source and the user's patch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from foundation import published_patches
from foundation.errors import UsageError
from foundation.progress import Progress
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.variants.option import integer, one_of, option, path, text
from harness.virtual.kernels.built import PatchFile, patch_content, patch_ids, patched_bundle, read_patch
from harness.virtual.kernels.built.config import suite_config
from harness.virtual.recipe import Recipe

_SYSCTL: Final = re.compile(r"(?P<key>[a-z0-9_]+(?:\.[A-Za-z0-9_-]+)+)=(?P<value>[A-Za-z0-9_.-]+)")
_THREAD: Final = one_of(
    {"yes": True, "no": False},
    "{key}={value} is neither yes nor no",
    "leave it out if you do not know whether the patch adds a compression thread",
)


@dataclass(frozen=True)
class Patch(VirtualKind):
    """``recorded`` and ``recorded_ids`` are what `content` returned when the campaign was planned."""

    word: ClassVar[str] = "patch"
    usage: ClassVar[str] = "patch:FILE"
    summary: ClassVar[str] = (
        "your patch (diff, mail or mbox) on Debian's source of the base, built on this host; compare it"
        " with `built`"
    )
    bare: ClassVar[str | None] = "file"

    file: Path = field(metadata=option(path, "FILE", "the patch"))
    config: Path | None = field(
        default=None, metadata=option(path, "FILE", "more kernel options, such as `CONFIG_X=y`")
    )
    before: Path | None = field(
        default=None,
        metadata=option(path, "FILE", "a patch that applies first, which the other side has as well"),
    )
    fuzz: int = field(
        default=0,
        metadata=option(integer(0, 3), "0..3", "lines of context that may differ where a hunk goes; 0"),
    )
    sysctl: str | None = field(
        default=None,
        metadata=option(
            text,
            "'KEY=VALUE KEY=VALUE'",
            "sysctls that the kernel sets as it boots, such as a switch of the patch; read back",
        ),
    )
    thread: bool | None = field(
        default=None,
        metadata=option(_THREAD, "yes|no", "whether it adds a compression thread, which is then proved"),
    )
    recorded: str | None = field(
        default=None,
        metadata=option(text, "HEX", "hash of the files' content, filled in by the suite", key="content"),
    )
    recorded_ids: str | None = field(
        default=None,
        metadata=option(
            text,
            "IDS",
            "stable patch ids of the parts, filled in by the suite",
            key=published_patches.OPTION,
        ),
    )

    def content(self) -> Mapping[str, str]:
        """Hash of patch and configuration, and the patch's ids. UsageError if the hash has changed."""
        patch = self._read()
        found = patch_content(patch, self.config)
        if self.recorded not in (None, found):
            raise UsageError(
                f"{self.file} has content {found}, not {self.recorded}",
                next_step="leave content= out, or restore the original file",
            )
        return {"content": found, published_patches.OPTION: published_patches.JOINT.join(patch_ids(patch))}

    def check(self) -> None:
        """Check that the base can be built, and the form of ``sysctl``. UsageError."""
        suite_config(self.base)
        self._sysctls()

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """The patched kernel, built unless it is in the cache. UsageError, HostError."""
        sysctls = self._sysctls()
        bundle = patched_bundle(self.base, self._read(), self.config, progress, content=self.recorded)
        return Recipe.of(
            # The kernel's own parser sets them before init runs (fs/proc/proc_sysctl.c).
            bundle.with_arguments(*(f"sysctl.{key}={value}" for key, value in sysctls.items())),
            compression_thread=self.thread,
            parameters={f"/proc/sys/{key.replace('.', '/')}": value for key, value in sysctls.items()},
        )

    def _sysctls(self) -> Mapping[str, str]:
        """Values by key. UsageError for what is not KEY=VALUE."""
        sysctls = {}
        for word in (self.sysctl or "").split():
            found = _SYSCTL.fullmatch(word)
            if not found:
                raise UsageError(
                    f"sysctl={word} is not KEY=VALUE", next_step="such as sysctl='vm.kcompressd=24'"
                )
            sysctls[found["key"]] = found["value"]
        return sysctls

    def _read(self) -> PatchFile:
        return read_patch(self.file, fuzz=self.fuzz, before=self.before)
