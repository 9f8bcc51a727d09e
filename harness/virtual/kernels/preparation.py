"""Prepares the cache for the bundles: fetches, verifies and builds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from foundation.errors import HostError
from foundation.progress import Progress
from harness.device.modules.module_file import module_bytes, read_module
from harness.virtual.base import Base
from harness.virtual.kernels import debian, module_build
from harness.virtual.kernels.debian import MODULE_BASE, kernels_dir
from harness.virtual.kernels.image import read_image
from harness.virtual.kernels.module_tree import load_order, roots_of, scan
from harness.virtual.packages.apt_root import unpack
from harness.virtual.packages.products import (
    building,
    damage,
    exclusive,
    facts_of,
    read_pointer,
    scratch_dir,
    write_pointer,
)
from harness.virtual.packages.records import Package, PackageFact

THREADS_PARAMETER = "kcompressd_threads"


@dataclass(frozen=True)
class Prepared:
    """Folders in the cache: ``stock`` has vmlinuz, config and modules/, ``module`` our zram.ko.

    ``module`` is None for every base but `MODULE_BASE`; ``packages`` are those of ``stock``.
    """

    stock: Path
    module: Path | None
    packages: tuple[PackageFact, ...]


def prepared(base: Base, progress: Progress) -> Prepared:
    """Debian's kernel for ``base``, and our module if there is one for it.

    Prepares what is absent or damaged, one process at a time. A prepared kernel stays in use
    until it is damaged, so that results stay comparable when the archive changes. HostError.
    """
    undamaged = _undamaged(base)
    if undamaged is not None:
        return undamaged
    with exclusive(kernels_dir(), progress):
        # Another process may have prepared it meanwhile.
        return _undamaged(base) or _prepare(base, progress)


def pointer_of(base: Base) -> Path:
    """The file with the key of the kernel in use, which is the name of its folder beside the file."""
    return kernels_dir() / str(base) / "current"


def _locations(base: Base, key: str) -> tuple[Path, Path, Path]:
    home = pointer_of(base).with_name(key)
    return home / "stock", home / "devel", home / f"kcompressd-{module_build.sources_key()}"


def _found(base: Base, key: str) -> Prepared:
    stock, _, module = _locations(base, key)
    facts = facts_of(stock)["packages"]
    assert isinstance(facts, list)
    return Prepared(
        stock, module if base == MODULE_BASE else None, tuple(PackageFact(**each) for each in facts)
    )


def _undamaged(base: Base) -> Prepared | None:
    key = read_pointer(pointer_of(base))
    if key is None:
        return None
    stock, _, module = _locations(base, key)
    if damage(stock) is None and (base != MODULE_BASE or damage(module) is None):
        return _found(base, key)
    return None


def _prepare(base: Base, progress: Progress) -> Prepared:
    key = read_pointer(pointer_of(base))
    if key is not None:
        stock, devel, module = _locations(base, key)
        for folder in (stock, module):
            wrong = damage(folder)
            if wrong is not None and folder.exists():
                progress(f"{folder} {wrong}: making it again")
        if base == MODULE_BASE and damage(stock) is None and damage(devel) is None:
            _build_module(progress, devel, module)
            return _found(base, key)
    with scratch_dir(kernels_dir()) as scratch:
        packages, files = debian.obtain(base, lambda found: _missing(base, found), scratch, progress)
        stock, devel, module = _locations(base, packages.key)
        if packages.image[0] in files:
            _make_stock(packages, files, stock)
            progress(f"stock kernel {packages.abi} is ready")
        if packages.source in files:
            progress("unpacking the headers, and drivers/block/zram from the kernel source")
            _make_devel(packages, files, devel)
    if base == MODULE_BASE:
        _build_module(progress, devel, module)
    write_pointer(pointer_of(base), packages.key)
    return _found(base, packages.key)


def _missing(base: Base, packages: debian.KernelPackages) -> list[Package]:
    stock, devel, _ = _locations(base, packages.key)
    wanted: list[Package] = []
    if damage(stock) is not None:
        wanted += packages.image
    if base == MODULE_BASE and damage(devel) is not None:
        wanted += [packages.source, *packages.build]
    return wanted


def _provenance(*packages: Package) -> dict[str, object]:
    return {"packages": [asdict(package.fact) for package in packages]}


def _make_stock(packages: debian.KernelPackages, files: Mapping[Package, Path], final: Path) -> None:
    """The image, its config, and only the modules that the guest loads, unpacked."""
    with building(final, _provenance(*packages.image)) as work, scratch_dir(kernels_dir()) as root:
        for package in packages.image:
            unpack(files[package], root)
        home = _home_of(root, packages.abi)
        image = _one_of(root / "boot" / f"vmlinuz-{packages.abi}", home / "vmlinuz")
        release = read_image(image).release
        tree = scan(home)
        (work / "modules").mkdir()
        for path, info in load_order(tree, release, roots_of(release)):
            (work / "modules" / f"{info.name}.ko").write_bytes(module_bytes(path))
        shutil.copy(tree.folder / "modules.builtin", work / "modules" / "modules.builtin")
        shutil.copy(_one_of(root / "boot" / f"config-{packages.abi}", home / "config"), work / "config")
        shutil.copy(image, work / "vmlinuz")


def _home_of(root: Path, abi: str) -> Path:
    """The folder of the modules; newer packages have it below /usr."""
    return _one_of(*(root / top / "lib" / "modules" / abi for top in ("usr", ".")))


def _one_of(*places: Path) -> Path:
    """The first that exists. HostError if none does."""
    for place in places:
        if place.exists():
            return place
    raise HostError(f"the kernel's packages have no {places[0].name}")


def _make_devel(packages: debian.KernelPackages, files: Mapping[Package, Path], final: Path) -> None:
    """The headers for external modules, and the unpatched zram driver."""
    facts = {**_provenance(packages.source, *packages.build), "abi": packages.abi}
    with building(final, facts) as work:
        for package in packages.build:
            unpack(files[package], work / "root")
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
