"""Built kernels as bundles for the virtual device: all is built in, so there is no module to load."""

from __future__ import annotations

import hashlib
from pathlib import Path

from foundation.errors import UsageError
from foundation.progress import Progress
from harness.virtual.kernels.built.config import read_fragment
from harness.virtual.kernels.built.kernel import BuildRequest, build_kernel, cached_kernel
from harness.virtual.kernels.built.patch_file import read_patch
from harness.virtual.kernels.bundles import KernelBundle

PAGE_IO_PATCH = Path(__file__).parents[1] / "page_io_kcompressd" / "kcompressd.patch"


def built_bundle(progress: Progress) -> KernelBundle:
    """Debian's source with our configuration and no patch: what patched kernels are compared with.

    The first call builds it (minutes, two CPUs); HostError.
    """
    return _bundle("built", BuildRequest(), progress, thread=False)


def patched_bundle(
    patch: Path,
    config: Path | None,
    progress: Progress,
    *,
    content: str | None = None,
) -> KernelBundle:
    """The same with a user's patch, and with the options of ``config`` if it is given.

    ``content`` is what `patch_content` said when the campaign was planned. UsageError for a
    file that is no patch or another one meanwhile, or a patch that does not apply or compile;
    HostError.
    """
    found = patch_content(patch, config)
    if content not in (None, found):
        raise UsageError(
            f"{patch} has changed: its content is {found} now, not {content}",
            next_step="begin a new campaign with it, or bring the old file back",
        )
    # A user's patch may bring any thread: the bundle does not know.
    return _bundle("patch", _wish(patch, config), progress, thread=False)


def patch_content(patch: Path, config: Path | None = None) -> str:
    """Eight hex digits that change with the diffs of a patch, and with its additional options.

    UsageError if it is no patch.
    """
    wish = _wish(patch, config)
    digest = hashlib.sha256()
    digest.update(f"{wish.patch.digest if wish.patch else ''}\0{wish.fragment}".encode())
    return digest.hexdigest()[:8]


def page_io_bundle(progress: Progress) -> KernelBundle:
    """The same with our own thread above zram, in mm/page_io.c."""
    return _bundle("kcompressd-page-io", _wish(PAGE_IO_PATCH), progress, thread=True)


def is_built(patch: Path | None = None) -> bool:
    """Whether the kernel with ``patch`` (None: without one) is in the cache."""
    return cached_kernel(_wish(patch) if patch else BuildRequest()) is not None


def _wish(patch: Path, config: Path | None = None) -> BuildRequest:
    return BuildRequest(read_patch(patch), read_fragment(config) if config else "")


def _bundle(name: str, wish: BuildRequest, progress: Progress, *, thread: bool) -> KernelBundle:
    kernel = build_kernel(wish, progress)
    return KernelBundle(
        name=name,
        release=kernel.release,
        image=kernel.image,
        modules=(),
        build_ids={"vmlinux": kernel.build_id},
        compression_thread=thread,
    )
