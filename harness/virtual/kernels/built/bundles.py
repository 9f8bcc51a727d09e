"""Built kernels as bundles for the virtual device: they have no modules."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from foundation.errors import UsageError
from foundation.progress import Progress
from foundation.words import did_you_mean
from harness.virtual.base import Base
from harness.virtual.kernels.built.config import read_fragment
from harness.virtual.kernels.built.kernel import BuildRequest, build_kernel, cached_kernel
from harness.virtual.kernels.built.patch_file import PatchFile, read_patch
from harness.virtual.kernels.bundles import KernelBundle

_KERNELS: Final = Path(__file__).parents[1]
# Series -> our compression thread above zram.
_THREAD_PATCHES: Final = {
    "6.1": _KERNELS / "page_io_kcompressd" / "kcompressd.patch",
    "6.12": _KERNELS / "mm_kcompressd" / "kcompressd.patch",
}


def built_bundle(base: Base, progress: Progress) -> KernelBundle:
    """Debian's source with our configuration and no patch: the baseline of patched kernels.

    The first call builds it (minutes, on two CPUs). UsageError for a base without a configuration
    of ours, HostError.
    """
    return _bundle("built", BuildRequest(base), progress, thread=False)


def patched_bundle(
    base: Base, patch: PatchFile, config: Path | None, progress: Progress, *, content: str | None = None
) -> KernelBundle:
    """The same with a user's patch, and with the options in ``config``.

    ``content`` is the `patch_content` at the time of planning. UsageError if the file is not a
    patch or has changed since, or if the patch does not apply or compile; HostError.
    """
    content_now = patch_content(patch, config)
    if content not in (None, content_now):
        raise UsageError(
            f"{patch.path} has changed: its content is {content_now} now, not {content}",
            next_step="start a new campaign with it, or restore the old file",
        )
    # A user's patch may bring any thread: the bundle cannot know.
    return _bundle("patch", _request(base, patch, config), progress, thread=False)


def patch_content(patch: PatchFile, config: Path | None = None) -> str:
    """Eight hex digits that change with the diffs of a patch and its additional options. UsageError."""
    options = read_fragment(config) if config else ""
    return hashlib.sha256(f"{patch.digest}\0{options}".encode()).hexdigest()[:8]


def thread_patch(base: Base) -> Path:
    """Our patch with a compression thread above zram, for the series of ``base``. UsageError."""
    patch = _THREAD_PATCHES.get(base.series)
    if patch is None:
        raise UsageError(
            f"our compression thread is not written for the base {base}",
            next_step=did_you_mean(base.series, _THREAD_PATCHES)
            if base.series[0].isdigit()
            else f"take a base of {' or '.join(_THREAD_PATCHES)}, or a patch of yours (patch:FILE)",
        )
    return patch


def thread_bundle(base: Base, progress: Progress) -> KernelBundle:
    """`built_bundle` with our own thread above zram. UsageError, HostError."""
    return _bundle(
        "kcompressd-page-io", _request(base, read_patch(thread_patch(base))), progress, thread=True
    )


def is_built(base: Base, patch: Path | None = None) -> bool:
    """Whether the kernel with ``patch`` (None: without one) is in the cache."""
    return cached_kernel(_request(base, read_patch(patch)) if patch else BuildRequest(base)) is not None


def _request(base: Base, patch: PatchFile, config: Path | None = None) -> BuildRequest:
    return BuildRequest(base, patch, read_fragment(config) if config else "")


def _bundle(name: str, request: BuildRequest, progress: Progress, *, thread: bool) -> KernelBundle:
    kernel = build_kernel(request, progress)
    return KernelBundle(
        name=name,
        release=kernel.release,
        image=kernel.image,
        modules=(),
        build_ids={"vmlinux": kernel.build_id},
        compression_thread=thread,
        base=request.base,
    )
