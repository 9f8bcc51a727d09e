"""Kernels for the virtual device: Debian's, the same with a compression thread, and the user's."""

from harness.virtual.kernels.bundles import (
    KernelBundle,
    ModuleLoad,
    kcompressd_bundle,
    prepare,
    require_module_base,
    stock_bundle,
    user_bundle,
)

__all__ = [
    "KernelBundle",
    "ModuleLoad",
    "kcompressd_bundle",
    "prepare",
    "require_module_base",
    "stock_bundle",
    "user_bundle",
]
