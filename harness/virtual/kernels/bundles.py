"""Kernel bundles: an image, the modules to load in order, and their build ids."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from foundation.errors import UsageError
from foundation.progress import Progress
from harness.device.modules.elf import ModuleInfo
from harness.virtual.base import Base
from harness.virtual.kernels.debian import MODULE_BASE
from harness.virtual.kernels.image import bootable, read_image
from harness.virtual.kernels.module_tree import below_release, load_order, roots_of, scan
from harness.virtual.kernels.preparation import THREADS_PARAMETER, prepared
from harness.virtual.packages.records import PackageFact

_SERIES = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class ModuleLoad:
    """One module to load: the ``.ko``, its name as the kernel spells it, and its parameters."""

    path: Path
    name: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KernelBundle:
    """A kernel for the virtual device, which its base's QEMU boots.

    ``base`` has the series that was asked for (``newest``), or that of a user's kernel.
    ``modules`` are in load order: virtio network, compressors, zsmalloc, zram (less what is built
    in). ``build_ids``: "zram" -> hex GNU build id of the zram.ko, if zram is a module; the guest
    shows it in /sys/module/zram/notes. ``compression_thread``: the kernel has a thread of ours.
    ``packages``: those of Debian's kernel. ``arguments`` are words for its command line.
    """

    name: str
    release: str
    image: Path
    modules: tuple[ModuleLoad, ...]
    build_ids: Mapping[str, str]
    compression_thread: bool
    base: Base
    packages: tuple[PackageFact, ...] = ()
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


def stock_bundle(base: Base) -> KernelBundle:
    """Debian's kernel for ``base``, unchanged. Prepares it first if it is absent or damaged. HostError."""
    found = prepared(base, _to_stderr)
    return _bundle("stock", base, found.stock, found.packages)


def require_module_base(base: Base) -> None:
    """UsageError unless our zram module is written for ``base``."""
    if base != MODULE_BASE:
        raise UsageError(
            f"the zram module with the compression thread is for {MODULE_BASE}, not {base}",
            next_step=f"give --virtual-base {MODULE_BASE}",
        )


def kcompressd_bundle(base: Base) -> KernelBundle:
    """The same kernel, with the zram module that has the compression thread.

    UsageError for a base that the module is not written for.
    """
    require_module_base(base)
    found = prepared(base, _to_stderr)
    assert found.module is not None
    return _bundle(
        "kcompressd", base, found.stock, found.packages, replaced={"zram": found.module / "zram.ko"}
    )


def user_bundle(image: Path, modules_dir: Path) -> KernelBundle:
    """A user's bzImage or arm64 Image and module folder, which may be empty if everything is built in.

    Series, architecture and page size are those of the image. UsageError if the image is of another
    kind, or if modules are missing or of another release.
    """
    facts = read_image(image)
    if not modules_dir.is_dir():
        raise UsageError(
            f"{modules_dir} is not a folder", next_step="give the folder with the kernel's .ko files"
        )
    series = _SERIES.match(facts.release)
    base = Base(series[0] if series else facts.release, facts.arch, facts.page_kb)
    tree = scan(below_release(modules_dir, facts.release))
    order = load_order(tree, facts.release, roots_of(facts.release))
    return _assemble("kernel", base, facts.release, bootable(image), order)


def prepare(base: Base, progress: Progress = print) -> None:
    """Download and verify the kernel of ``base``, and build our module for it; then only checks hashes.

    The first time it needs the network (30 to 180 MB), and for `MODULE_BASE` gcc, make and patch;
    not root. HostError.
    """
    prepared(base, progress)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _bundle(
    name: str,
    base: Base,
    stock: Path,
    packages: tuple[PackageFact, ...],
    replaced: Mapping[str, Path] | None = None,
) -> KernelBundle:
    image = stock / "vmlinuz"
    release = read_image(image).release
    order = load_order(scan(stock / "modules", replaced), release, roots_of(release))
    return replace(_assemble(name, base, release, bootable(image), order), packages=packages)


def _assemble(
    name: str, base: Base, release: str, image: Path, order: Sequence[tuple[Path, ModuleInfo]]
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
        base=base,
    )
