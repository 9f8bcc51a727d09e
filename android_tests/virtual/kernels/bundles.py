"""Kernel bundles: an image, the modules to load in order, and what identifies them."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from android_tests.virtual.kernels import debian, module_build
from android_tests.virtual.kernels.apt_records import Package
from android_tests.virtual.kernels.bzimage import release_of
from android_tests.virtual.kernels.elf import ModuleInfo, read_module
from android_tests.virtual.kernels.module_tree import below_release, load_order, scan
from android_tests.virtual.kernels.products import (
    Progress,
    building,
    damage,
    exclusive,
    facts_of,
    kernels_dir,
    read_pointer,
    write_pointer,
)
from foundation.errors import HostError, UsageError

_CURRENT = "current"
_STOCK = "stock"
_DEVEL = "devel"
_THREADS_PARAMETER = "kcompressd_threads"


@dataclass(frozen=True)
class ModuleLoad:
    """One module to load: the ``.ko``, its name in the kernel's spelling, and its parameters."""

    path: Path
    name: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KernelBundle:
    """A kernel for the virtual device.

    ``modules`` are in load order: virtio network, compressors, zsmalloc, zram (less what is
    built in). ``build_ids``: "zram" -> hex GNU build id of the zram.ko, if zram is a module;
    the guest shows it in /sys/module/zram/notes. ``compression_thread``: zram.ko has the
    ``kcompressd_*`` parameters.
    """

    name: str
    release: str
    image: Path
    modules: tuple[ModuleLoad, ...]
    build_ids: Mapping[str, str]
    compression_thread: bool


def stock_bundle() -> KernelBundle:
    """Debian's cloud kernel as it is. Prepares it first if it is absent or damaged."""
    stock, _ = _prepared(_to_stderr)
    return _bundle("stock", stock)


def kcompressd_bundle() -> KernelBundle:
    """The same kernel, with the zram module that has the compression thread."""
    stock, module = _prepared(_to_stderr)
    return _bundle("kcompressd", stock, replaced={"zram": module / "zram.ko"})


def user_bundle(image: Path, modules_dir: Path) -> KernelBundle:
    """A user's own bzImage and module folder (may be empty if all is built in).

    Raises UsageError if the image is not a bzImage, or if modules are of another release or incomplete.
    """
    release = release_of(image)
    if not modules_dir.is_dir():
        raise UsageError(
            f"{modules_dir} is not a folder", next_step="give the folder with the kernel's .ko files"
        )
    order = load_order(scan(below_release(modules_dir, release)), release)
    return _assemble("kernel", release, image, order)


def prepare(progress: Progress = print) -> None:
    """Download, verify and build all kernels; the second call only checks hashes.

    Needs the network (181 MB) the first time, apt's configuration, gcc, make and patch; not root.
    Raises HostError.
    """
    _prepared(progress)


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
        compression_thread=zram is not None and _THREADS_PARAMETER in zram.parameters,
    )


def _prepared(progress: Progress) -> tuple[Path, Path]:
    """The folders of the stock kernel and of our module, whole."""
    found = _whole()
    if found is not None:
        return found
    with exclusive(progress):
        # Another process may have done it while we waited.
        return _whole() or _make_whole(progress)


def _locations(key: str) -> tuple[Path, Path, Path]:
    home = kernels_dir() / key
    return home / _STOCK, home / _DEVEL, home / f"kcompressd-{module_build.sources_key()}"


def _whole() -> tuple[Path, Path] | None:
    key = read_pointer(_CURRENT)
    if key is None:
        return None
    stock, _, module = _locations(key)
    if damage(stock) is None and damage(module) is None:
        return stock, module
    return None


def _make_whole(progress: Progress) -> tuple[Path, Path]:
    """Rebuild what is absent or damaged, from the last prepared kernel if it has all it needs."""
    key = read_pointer(_CURRENT)
    if key is not None:
        stock, devel, module = _locations(key)
        _tell_damage(progress, stock)
        _tell_damage(progress, module)
        if damage(stock) is None and damage(devel) is None:
            _build_module(progress, devel, module)
            return stock, module
    with debian.connected(progress) as (apt, packages):
        stock, devel, module = _locations(packages.key)
        if damage(stock) is not None:
            _fetch_stock(progress, apt, packages, stock)
        if damage(devel) is not None:
            _fetch_devel(progress, apt, packages, devel)
        _build_module(progress, devel, module)
        write_pointer(_CURRENT, packages.key)
    return stock, module


def _tell_damage(progress: Progress, folder: Path) -> None:
    wrong = damage(folder)
    if wrong is not None and folder.exists():
        progress(f"{folder} {wrong}: it is made again")


def _provenance(packages: Sequence[Package]) -> dict[str, object]:
    return {"packages": [{"name": p.name, "version": p.version, "sha256": p.sha256} for p in packages]}


def _fetch_stock(progress: Progress, apt: debian.Apt, packages: debian.KernelPackages, final: Path) -> None:
    with (
        building(final, _provenance([packages.image])) as work,
        tempfile.TemporaryDirectory(dir=work) as temporary,
    ):
        scratch = Path(temporary)
        (package,) = debian.fetch(apt, [packages.image], scratch, progress)
        debian.unpack(package, scratch / "root")
        image = scratch / "root" / "boot" / f"vmlinuz-{packages.abi}"
        release = release_of(image)
        tree = scan(scratch / "root" / "lib" / "modules" / release)
        (work / "modules").mkdir()
        for path, _ in load_order(tree, release):
            shutil.copy(path, work / "modules" / path.name)
        shutil.copy(tree.folder / "modules.builtin", work / "modules" / "modules.builtin")
        shutil.copy(scratch / "root" / "boot" / f"config-{packages.abi}", work / "config")
        shutil.copy(image, work / "vmlinuz")
    progress(f"stock kernel {packages.abi} is ready")


def _fetch_devel(progress: Progress, apt: debian.Apt, packages: debian.KernelPackages, final: Path) -> None:
    wanted = [packages.source, *packages.build]
    facts = {**_provenance(wanted), "abi": packages.abi}
    with building(final, facts) as work, tempfile.TemporaryDirectory(dir=work) as temporary:
        source, *build = debian.fetch(apt, wanted, Path(temporary), progress)
        for package in build:
            debian.unpack(package, work / "root")
        module_build.relocate_headers(work / "root", packages.abi)
        progress("unpacking drivers/block/zram from the kernel source")
        (work / "zram").mkdir()
        debian.extract_zram_source(source, work / "zram")


def _build_module(progress: Progress, devel: Path, final: Path) -> None:
    if damage(final) is None:
        return
    progress("building the zram module with the compression thread")
    made_from = facts_of(devel)
    headers = devel / "root" / "usr" / "src" / f"linux-headers-{made_from['abi']}"
    with building(final, made_from) as work, tempfile.TemporaryDirectory() as temporary:
        module = module_build.build_module(headers, devel / "zram", Path(temporary))
        info = read_module(module)
        if _THREADS_PARAMETER not in info.parameters:
            raise HostError("the built zram module has no compression thread")
        made_from["build_id"] = info.build_id
        shutil.copy(module, work / "zram.ko")
    progress(f"zram module with the compression thread is ready (build id {json.dumps(info.build_id)})")
