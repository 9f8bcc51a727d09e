"""Built kernels as bundles for the virtual device: they have no modules."""

from __future__ import annotations

import hashlib
from pathlib import Path

from foundation.errors import UsageError
from foundation.progress import Progress
from harness.virtual.kernels.built.config import read_fragment
from harness.virtual.kernels.built.kernel import BuildRequest, build_kernel, cached_kernel
from harness.virtual.kernels.built.patch_file import read_patch
from harness.virtual.kernels.built.source import BUILT_BASE
from harness.virtual.kernels.bundles import KernelBundle

PAGE_IO_PATCH = Path(__file__).parents[1] / "page_io_kcompressd" / "kcompressd.patch"


def built_bundle(progress: Progress) -> KernelBundle:
    """Debian's source with our configuration and no patch: the baseline of patched kernels.

    The first call builds it (minutes, on two CPUs). HostError.
    """
    return _bundle("built", BuildRequest(), progress, thread=False)


def patched_bundle(
    patch: Path, config: Path | None, progress: Progress, *, content: str | None = None
) -> KernelBundle:
    """The same with a user's patch, and with the options in ``config``.

    ``content`` is the `patch_content` at the time of planning. UsageError if the file is not a
    patch or has changed since, or if the patch does not apply or compile; HostError.
    """
    content_now = patch_content(patch, config)
    if content not in (None, content_now):
        raise UsageError(
            f"{patch} has changed: its content is {content_now} now, not {content}",
            next_step="start a new campaign with it, or restore the old file",
        )
    # A user's patch may bring any thread: the bundle cannot know.
    return _bundle("patch", _request(patch, config), progress, thread=False)


def patch_content(patch: Path, config: Path | None = None) -> str:
    """Eight hex digits that change with the diffs of a patch and its additional options.

    UsageError if the file is not a patch.
    """
    options = read_fragment(config) if config else ""
    return hashlib.sha256(f"{read_patch(patch).digest}\0{options}".encode()).hexdigest()[:8]


def page_io_bundle(progress: Progress) -> KernelBundle:
    """The same with our own thread above zram, in mm/page_io.c."""
    return _bundle("kcompressd-page-io", _request(PAGE_IO_PATCH), progress, thread=True)


def is_built(patch: Path | None = None) -> bool:
    """Whether the kernel with ``patch`` (None: without one) is in the cache."""
    return cached_kernel(_request(patch) if patch else BuildRequest()) is not None


def _request(patch: Path, config: Path | None = None) -> BuildRequest:
    return BuildRequest(read_patch(patch), read_fragment(config) if config else "")


def _bundle(name: str, request: BuildRequest, progress: Progress, *, thread: bool) -> KernelBundle:
    kernel = build_kernel(request, progress)
    return KernelBundle(
        name=name,
        release=kernel.release,
        image=kernel.image,
        modules=(),
        build_ids={"vmlinux": kernel.build_id},
        compression_thread=thread,
        base=BUILT_BASE,
    )
