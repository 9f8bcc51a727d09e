"""Kernel bundles: an image, the modules to load in order, and their build ids."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from foundation.errors import UsageError
from foundation.progress import Progress
from harness.virtual.kernels.bzimage import release_of
from harness.virtual.kernels.elf import ModuleInfo
from harness.virtual.kernels.module_tree import below_release, load_order, scan
from harness.virtual.kernels.preparation import THREADS_PARAMETER, prepared


@dataclass(frozen=True)
class ModuleLoad:
    """One module to load: the ``.ko``, its name as the kernel spells it, and its parameters."""

    path: Path
    name: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KernelBundle:
    """A kernel for the virtual device.

    ``modules`` are in load order: virtio network, compressors, zsmalloc, zram (less what is
    built in). ``build_ids``: "zram" -> hex GNU build id of the zram.ko, if zram is a module;
    the guest shows it in /sys/module/zram/notes. ``compression_thread``: the kernel has a thread of
    ours. ``arguments`` are words for its command line.
    """

    name: str
    release: str
    image: Path
    modules: tuple[ModuleLoad, ...]
    build_ids: Mapping[str, str]
    compression_thread: bool
    arguments: tuple[str, ...] = ()

    def with_arguments(self, *words: str) -> KernelBundle:
        """The same, with ``words`` at the end of its command line."""
        return replace(self, arguments=(*self.arguments, *words))

    def with_parameters(self, module: str, parameters: Mapping[str, str]) -> KernelBundle:
        """The same, with additional ``parameters`` for ``module``."""
        modules = tuple(
            replace(each, params={**each.params, **parameters}) if each.name == module else each
            for each in self.modules
        )
        return replace(self, modules=modules)


def stock_bundle() -> KernelBundle:
    """Debian's cloud kernel, unchanged. Prepares it first if it is absent or damaged."""
    stock, _ = prepared(_to_stderr)
    return _bundle("stock", stock)


def kcompressd_bundle() -> KernelBundle:
    """The same kernel, with the zram module that has the compression thread."""
    stock, module = prepared(_to_stderr)
    return _bundle("kcompressd", stock, replaced={"zram": module / "zram.ko"})


def user_bundle(image: Path, modules_dir: Path) -> KernelBundle:
    """A user's bzImage and module folder, which may be empty if everything is built in.

    UsageError if the image is not a bzImage, or if modules are missing or of another release.
    """
    release = release_of(image)
    if not modules_dir.is_dir():
        raise UsageError(
            f"{modules_dir} is not a folder", next_step="give the folder with the kernel's .ko files"
        )
    order = load_order(scan(below_release(modules_dir, release)), release)
    return _assemble("kernel", release, image, order)


def prepare(progress: Progress = print) -> None:
    """Download, verify and build all kernels; a second call only checks hashes.

    Needs gcc, make and patch, and the first time the network (181 MB); not root. HostError.
    """
    prepared(progress)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _bundle(name: str, stock: Path, replaced: Mapping[str, Path] | None = None) -> KernelBundle:
    image = stock / "vmlinuz"
    release = release_of(image)
    return _assemble(name, release, image, load_order(scan(stock / "modules", replaced), release))


def _assemble(
    name: str, release: str, image: Path, order: Sequence[tuple[Path, ModuleInfo]]
) -> KernelBundle:
    zram = next((info for _, info in order if info.name == "zram"), None)
    build_ids = {"zram": zram.build_id} if zram is not None and zram.build_id else {}
    return KernelBundle(
        name=name,
        release=release,
        image=image,
        modules=tuple(ModuleLoad(path, info.name) for path, info in order),
        build_ids=build_ids,
        compression_thread=zram is not None and THREADS_PARAMETER in zram.parameters,
    )
