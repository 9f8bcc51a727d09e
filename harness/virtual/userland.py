"""The guest's userland, from Debian's packages for its architecture: adbd, Perfetto, mksh, toybox.

Nothing is installed. The programs get their own C library and loader at the paths that they were
linked for, so neither the host's Debian nor its architecture matters. Only what runs is placed.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from foundation.cache import cache_dir
from foundation.contract.arch import Arch
from foundation.errors import HostError
from foundation.progress import Progress
from harness.virtual.packages.apt_root import open_root, unpack
from harness.virtual.packages.elf_needs import copy_needed
from harness.virtual.packages.host_command import require_programs, run
from harness.virtual.packages.products import (
    building,
    damage,
    exclusive,
    facts_of,
    read_pointer,
    require_space,
    scratch_dir,
    write_pointer,
)
from harness.virtual.packages.records import Package, PackageFact

# The most stable suite whose libraries suffice for all of them, and the one with perfetto.
_SUITES: Final = ("trixie", "forky")
_WANTED: Final = ("adbd", "mksh", "toybox", "busybox-static", "perfetto/forky")
# Only maintainer scripts use it, and they are not run.
_WITHOUT: Final = ("adduser",)

# Guest path -> path in the packages; {musl} is the folder of the C library that mksh is static with.
_PROGRAMS: Final[Mapping[str, str]] = {
    "system/bin/adbd": "usr/lib/android-sdk/platform-tools/adbd",
    "system/bin/traced": "usr/sbin/traced",
    "system/bin/traced_probes": "usr/sbin/traced_probes",
    "system/bin/perfetto": "usr/bin/perfetto",
    "system/bin/sh": "usr/lib/{musl}/bin/mksh",
    "system/bin/toybox": "usr/bin/toybox",
    "system/bin/busybox": "usr/bin/busybox",
}
#: Commands that Android has and Debian's toybox lacks; busybox has them.
FROM_BUSYBOX: Final = ("awk", "bc", "dd", "diff", "expr", "gzip", "modprobe", "tr")

# Changes when the same packages are placed in another way.
_RECIPE: Final = "1"
_TRIPLETS: Final[dict[Arch, str]] = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_RUN_DEADLINE_S: Final = 60.0


@dataclass(frozen=True)
class PlacedFile:
    """A file of the guest: ``path`` without a leading slash, its content on the host, and its mode."""

    path: str
    source: Path
    mode: int


@dataclass(frozen=True)
class Userland:
    """What goes into the guest's root beside the suite's own programs.

    ``links`` are (path, target) of symbolic links, applets of toybox and busybox in system/bin.
    """

    arch: Arch
    files: tuple[PlacedFile, ...]
    links: tuple[tuple[str, str], ...]
    packages: tuple[PackageFact, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, before compression."""
        return sum(file.source.stat().st_size for file in self.files)


def userland(arch: Arch, progress: Progress = print) -> Userland:
    """The userland for ``arch``. Prepares it first if it is absent or damaged (12 MB to fetch).

    One process at a time does. What is in the cache stays in use until it is damaged, so that
    results stay comparable when the archive changes. HostError.
    """
    folder = _undamaged(arch)
    if folder is None:
        with exclusive(_home(), progress):
            # Another process may have prepared it meanwhile.
            folder = _undamaged(arch) or _prepare(arch, progress)
    root = folder / "root"
    paths = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    facts = facts_of(folder)["packages"]
    assert isinstance(facts, list)
    return Userland(
        arch=arch,
        files=tuple(
            PlacedFile(path.relative_to(root).as_posix(), path, stat.S_IMODE(path.stat().st_mode))
            for path in paths
            if not path.is_symlink()
        ),
        links=tuple(
            (path.relative_to(root).as_posix(), str(path.readlink())) for path in paths if path.is_symlink()
        ),
        packages=tuple(PackageFact(**each) for each in facts),
    )


def _home() -> Path:
    return cache_dir("userland")


def _pointer(arch: Arch) -> Path:
    return _home() / f"current-{arch}-{_RECIPE}"


def _undamaged(arch: Arch) -> Path | None:
    key = read_pointer(_pointer(arch))
    folder = _home() / key if key else None
    return folder if folder is not None and damage(folder) is None else None


def _key(arch: Arch, packages: Sequence[Package]) -> str:
    parts = [_RECIPE, *(f"{package.name} {package.sha256}" for package in packages)]
    text = "\n".join(parts)
    return f"{arch}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _prepare(arch: Arch, progress: Progress) -> Path:
    with scratch_dir(_home()) as scratch:
        with open_root(_SUITES, arch, progress) as apt:
            packages = apt.closure(_WANTED, _WITHOUT)
            need = sum(package.download_bytes + package.installed_bytes for package in packages)
            require_space(_home(), 2 * need, "fetching the guest's programs")
            size = sum(package.download_bytes for package in packages)
            progress(f"downloading {len(packages)} packages of the guest's programs, {size / 1e6:.0f} MB")
            files = apt.download(packages, scratch)
        unpacked = scratch / "unpacked"
        for package in packages:
            unpack(files[package], unpacked)
        key = _key(arch, packages)
        with building(_home() / key, {"packages": [asdict(package.fact) for package in packages]}) as work:
            place(unpacked, work / "root", arch)
    write_pointer(_pointer(arch), key)
    progress(f"the guest's programs for {arch} are ready")
    return _home() / key


def place(unpacked: Path, root: Path, arch: Arch) -> None:
    """Lay out the guest's root from unpacked packages: programs, libraries, loader, applets.

    HostError if a package lacks a program, or a library that one needs is in none.
    """
    programs = []
    for guest_path, source in _PROGRAMS.items():
        found = unpacked / source.format(musl=_TRIPLETS[arch].replace("gnu", "musl"))
        if not found.is_file():
            raise HostError(f"Debian's packages have no {found.relative_to(unpacked)}")
        target = root / guest_path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, target)
        target.chmod(0o755)
        programs.append(target)
    copy_needed(programs, unpacked, root, (f"usr/lib/{_TRIPLETS[arch]}", "usr/lib"))
    tools = root / "system" / "bin"
    for applet in _applets(root, arch):
        if not (tools / applet).exists():
            (tools / applet).symlink_to("toybox")
    for applet in FROM_BUSYBOX:
        if not (tools / applet).exists():
            (tools / applet).symlink_to("busybox")


def _applets(root: Path, arch: Arch) -> list[str]:
    """The commands of the toybox in ``root``, which it lists itself."""
    toybox = str(root / "system" / "bin" / "toybox")
    if platform.machine() == arch:
        # Not by the host's own loader and C library, which may be older.
        loader = next(path for path in root.glob("lib*/ld-linux*"))
        library_path = str(root / "usr" / "lib" / _TRIPLETS[arch])
        argv = [str(loader), "--library-path", library_path, toybox]
    else:
        emulator = f"qemu-{arch}-static"
        require_programs({emulator: "qemu-user-static"})
        argv = [emulator, "-L", str(root), toybox]
    return run(argv, deadline_s=_RUN_DEADLINE_S).split()
