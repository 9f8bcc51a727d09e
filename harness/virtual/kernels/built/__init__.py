"""Kernels built from Debian's source with our small configuration: plain, or with a patch."""

from harness.virtual.kernels.built.bundles import (
    built_bundle,
    is_built,
    patch_content,
    patched_bundle,
    thread_bundle,
    thread_patch,
)
from harness.virtual.kernels.built.patch_file import PatchFile, read_patch
from harness.virtual.kernels.built.patch_ids import patch_ids

__all__ = [
    "PatchFile",
    "built_bundle",
    "is_built",
    "patch_content",
    "patch_ids",
    "patched_bundle",
    "read_patch",
    "thread_bundle",
    "thread_patch",
]
