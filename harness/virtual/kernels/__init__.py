"""Kernels for the virtual device: Debian's stock one, and the same with the compression thread."""

from harness.virtual.kernels.bundles import (
    KernelBundle,
    ModuleLoad,
    kcompressd_bundle,
    prepare,
    stock_bundle,
    user_bundle,
)

__all__ = ["KernelBundle", "ModuleLoad", "kcompressd_bundle", "prepare", "stock_bundle", "user_bundle"]
