"""Prepares the cache for the bundles: fetches, verifies and builds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from foundation.errors import HostError
from foundation.progress import Progress
from harness.virtual.kernels import debian, module_build
from harness.virtual.kernels.apt_records import Package
from harness.virtual.kernels.bzimage import release_of
from harness.virtual.kernels.elf import read_module
from harness.virtual.kernels.module_tree import load_order, scan
from harness.virtual.kernels.products import (
    building,
    damage,
    exclusive,
    facts_of,
    kernels_dir,
    read_pointer,
    scratch_dir,
    write_pointer,
)

THREADS_PARAMETER = "kcompressd_threads"

_CURRENT = "current"


def prepared(progress: Progress) -> tuple[Path, Path]:
    """The folders of the stock kernel (``vmlinuz``, ``config``, ``modules/``) and of our ``zram.ko``.

    Prepares what is absent or damaged, one process at a time. A prepared kernel stays in use
    until it is damaged, so that results stay comparable when the archive changes. HostError.
    """
    undamaged = _undamaged()
    if undamaged is not None:
        return undamaged
    with exclusive(progress):
        # Another process may have prepared it meanwhile.
        return _undamaged() or _prepare(progress)


def _locations(key: str) -> tuple[Path, Path, Path]:
    home = kernels_dir() / key
    return home / "stock", home / "devel", home / f"kcompressd-{module_build.sources_key()}"


def _undamaged() -> tuple[Path, Path] | None:
    key = read_pointer(_CURRENT)
    if key is None:
        return None
    stock, _, module = _locations(key)
    if damage(stock) is None and damage(module) is None:
        return stock, module
    return None


def _prepare(progress: Progress) -> tuple[Path, Path]:
    key = read_pointer(_CURRENT)
    if key is not None:
        stock, devel, module = _locations(key)
        for folder in (stock, module):
            wrong = damage(folder)
            if wrong is not None and folder.exists():
                progress(f"{folder} {wrong}: making it again")
        if damage(stock) is None and damage(devel) is None:
            _build_module(progress, devel, module)
            return stock, module
    with scratch_dir() as scratch:
        packages, files = debian.obtain(_missing, scratch, progress)
        stock, devel, module = _locations(packages.key)
        if packages.image in files:
            _make_stock(packages, files, stock)
            progress(f"stock kernel {packages.abi} is ready")
        if packages.source in files:
            progress("unpacking the headers, and drivers/block/zram from the kernel source")
            _make_devel(packages, files, devel)
    _build_module(progress, devel, module)
    write_pointer(_CURRENT, packages.key)
    return stock, module


def _missing(packages: debian.KernelPackages) -> list[Package]:
    stock, devel, _ = _locations(packages.key)
    wanted = []
    if damage(stock) is not None:
        wanted.append(packages.image)
    if damage(devel) is not None:
        wanted += [packages.source, *packages.build]
    return wanted


def _provenance(*packages: Package) -> dict[str, object]:
    return {"packages": [{"name": p.name, "version": p.version, "sha256": p.sha256} for p in packages]}


def _make_stock(packages: debian.KernelPackages, files: Mapping[Package, Path], final: Path) -> None:
    """The image, its config, and only the modules that the guest loads."""
    with building(final, _provenance(packages.image)) as work, scratch_dir() as root:
        debian.unpack(files[packages.image], root)
        image = root / "boot" / f"vmlinuz-{packages.abi}"
        release = release_of(image)
        tree = scan(root / "lib" / "modules" / release)
        (work / "modules").mkdir()
        for path, _ in load_order(tree, release):
            shutil.copy(path, work / "modules" / path.name)
        shutil.copy(tree.folder / "modules.builtin", work / "modules" / "modules.builtin")
        shutil.copy(root / "boot" / f"config-{packages.abi}", work / "config")
        shutil.copy(image, work / "vmlinuz")


def _make_devel(packages: debian.KernelPackages, files: Mapping[Package, Path], final: Path) -> None:
    """The headers for external modules, and the unpatched zram driver."""
    facts = {**_provenance(packages.source, *packages.build), "abi": packages.abi}
    with building(final, facts) as work:
        for package in packages.build:
            debian.unpack(files[package], work / "root")
        module_build.relocate_headers(work / "root", packages.abi)
        (work / "zram").mkdir()
        debian.extract_zram_source(files[packages.source], work / "zram")


def _build_module(progress: Progress, devel: Path, final: Path) -> None:
    if damage(final) is None:
        return
    progress("building the zram module with the compression thread")
    facts = facts_of(devel)
    headers = devel / "root" / "usr" / "src" / f"linux-headers-{facts['abi']}"
    with building(final, facts) as work, tempfile.TemporaryDirectory() as temporary:
        module = module_build.build_module(headers, devel / "zram", Path(temporary))
        info = read_module(module)
        if THREADS_PARAMETER not in info.parameters:
            raise HostError("the built zram module has no compression thread")
        facts["build_id"] = info.build_id
        shutil.copy(module, work / "zram.ko")
    progress(f"zram module with the compression thread is ready, build id {info.build_id}")
