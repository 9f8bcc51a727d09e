"""Debian's kernel source, fetched once and unpacked in the cache."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foundation.cache import cache_dir
from foundation.errors import HostError
from foundation.files import write_atomic
from foundation.progress import Progress
from harness.virtual.kernels import debian
from harness.virtual.packages.host_command import run
from harness.virtual.packages.products import locked, remove_unfinished, require_space

# Not below the folder of the small products, which is hashed and searched completely.
_FOLDER = "kernel-builds"
_POINTER = "source-version-"
_TEMPORARY = ".unfinished-"
_UNPACKED_BYTES = 1_800_000_000
_UNPACK_DEADLINE_S = 1800.0
_LOCK_DEADLINE_S = 4 * 3600.0
_NUMBER = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class KernelSource:
    """An unpacked source; ``package_version`` is Debian's (6.1.192-2), ``version`` the kernel's."""

    package_version: str
    folder: Path

    @property
    def version(self) -> str:
        """The version in the top Makefile, such as 6.1.192."""
        numbers = dict(_NUMBER.findall((self.folder / "Makefile").read_text()[:1000]))
        return ".".join(numbers[key] for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def builds_dir() -> Path:
    """The cache folder of sources, objects and kernels (about 2 GB for a series)."""
    return cache_dir(_FOLDER)


def products_dir() -> Path:
    """The cache folder of finished kernels, with one folder for each release."""
    return cache_dir(_FOLDER, "kernels")


def known_source(series: str) -> KernelSource | None:
    """The source of ``series`` in use, or None before its first build.

    It stays the same when the archive changes.
    """
    try:
        version = (builds_dir() / f"{_POINTER}{series}").read_text().strip()
    except FileNotFoundError:
        return None
    folder = builds_dir() / f"source-{version}"
    return KernelSource(version, folder) if version and (folder / "Makefile").is_file() else None


def kernel_source(series: str, progress: Progress) -> KernelSource:
    """The source of ``series``, fetched and unpacked if it is absent (150 MB; 1.6 GB). HostError.

    The caller holds `exclusive_builds`.
    """
    source = known_source(series)
    if source is not None:
        return source
    builds = builds_dir()
    require_space(builds, 2 * _UNPACKED_BYTES, "unpacking and building a kernel")
    with scratch() as work:
        package, file = debian.obtain_source(series, work, progress)
        version = package.version.replace("~", "-").replace(":", "-")
        progress(f"unpacking the kernel source {version}, 1.6 GB")
        unpacked = work / "unpacked"
        unpacked.mkdir()
        _unpack(file, series, unpacked)
        if not (unpacked / "mm" / "page_io.c").is_file():
            raise HostError(f"{file.name} does not hold a kernel source")
        final = builds / f"source-{version}"
        shutil.rmtree(final, ignore_errors=True)
        unpacked.rename(final)
    write_atomic(builds / f"{_POINTER}{series}", version + "\n")
    return KernelSource(version, final)


@contextmanager
def exclusive_builds(progress: Progress) -> Iterator[None]:
    """Hold the lock of the builds: one process at a time. Removes leftovers of a dead process."""
    builds = builds_dir()
    with locked(
        builds / ".lock", progress, "waiting for another process that builds a kernel", _LOCK_DEADLINE_S
    ):
        for left in builds.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(left, ignore_errors=True)
        remove_unfinished(products_dir())
        yield


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk of the builds, removed at the end."""
    with tempfile.TemporaryDirectory(
        prefix=_TEMPORARY, dir=builds_dir(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _unpack(package: Path, series: str, folder: Path) -> None:
    """The tarball inside a linux-source .deb, without its first folder."""
    member = f"./usr/src/linux-source-{series}.tar.xz"
    pipeline = (
        'dpkg-deb --fsys-tarfile "$0" | tar -xO "$1"'
        ' | tar -xJ --strip-components=1 --no-same-owner -C "$2"; exit $((PIPESTATUS[1] | PIPESTATUS[2]))'
    )
    try:
        run(["bash", "-c", pipeline, str(package), member, str(folder)], deadline_s=_UNPACK_DEADLINE_S)
    except HostError as error:
        raise HostError(
            f"{package.name} cannot be unpacked: {error.what.rpartition(' / ')[2]}",
            next_step="free some space",
        ) from error
