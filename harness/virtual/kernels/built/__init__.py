"""Kernels built from Debian's source with our small configuration: plain, or with a patch."""

from harness.virtual.kernels.built.bundles import (
    PAGE_IO_PATCH,
    built_bundle,
    is_built,
    page_io_bundle,
    patch_content,
    patched_bundle,
)
from harness.virtual.kernels.built.patch_file import PatchFile, read_patch

__all__ = [
    "PAGE_IO_PATCH",
    "PatchFile",
    "built_bundle",
    "is_built",
    "page_io_bundle",
    "patch_content",
    "patched_bundle",
    "read_patch",
]
