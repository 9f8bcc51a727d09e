"""Debian's cloud kernel, its source and its headers, from the suite with its series.

Nothing is installed and root is not needed: packages are downloaded and unpacked in the cache.
apt verifies each file with the archive's signed lists; its SHA-256 in apt's record is checked
again before it is unpacked.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foundation.errors import HostError
from foundation.progress import Progress
from harness.virtual.kernels.apt_records import Package, image_abi
from harness.virtual.kernels.apt_suite import AptSuite, open_suite
from harness.virtual.kernels.host_command import run
from harness.virtual.kernels.products import kernels_dir, require_space

META_PACKAGE = "linux-image-cloud-amd64"
SERIES = "6.1"
# Series of Debian's kernel -> the suite that has it.
SUITES = {"6.1": "bookworm", "6.12": "trixie"}
ZRAM_IN_SOURCE = "drivers/block/zram"

_UNPACK_DEADLINE_S = 300.0
_SPARE_BYTES = 100_000_000


@dataclass(frozen=True)
class KernelPackages:
    """The packages of one kernel build; ``build`` are those for building modules."""

    abi: str
    image: Package
    source: Package
    build: tuple[Package, ...]

    @property
    def key(self) -> str:
        """The name of this build in the cache."""
        return f"{self.abi}_{self.image.version.replace('~', '-').replace(':', '-')}"


def resolve(apt: AptSuite) -> KernelPackages:
    """The packages of the suite's current cloud kernel. HostError if one is missing."""
    meta = apt.show(META_PACKAGE)
    abi = image_abi(meta)
    if not abi.startswith(f"{SERIES}."):
        raise HostError(
            f"{apt.suite} has kernel {abi}; the compression thread is written for {SERIES}",
        )
    image = apt.show(f"linux-image-{abi}")
    headers = apt.show(f"linux-headers-{abi}={image.version}")
    # Common headers, kbuild and the compiler package are dependencies of the headers.
    parts = [
        apt.show(f"{name}={image.version}")
        for name, _ in headers.depends
        if name.startswith(("linux-headers-", "linux-kbuild-", "linux-compiler-"))
    ]
    source = apt.show(f"linux-source-{SERIES}={image.version}")
    return KernelPackages(abi=abi, image=image, source=source, build=(headers, *parts))


def obtain(
    select: Callable[[KernelPackages], Sequence[Package]], folder: Path, progress: Progress
) -> tuple[KernelPackages, dict[Package, Path]]:
    """Resolve the kernel's packages, and download those that ``select`` returns into ``folder``.

    The suite depends on the series, not on the host. The ABI is resolved from freshly fetched
    lists, because an archive drops old ones. HostError.
    """
    suite = SUITES[SERIES]
    progress(f"fetching the package lists of {suite}")
    with open_suite(suite, progress) as apt:
        packages = resolve(apt)
        wanted = select(packages)
        need = sum(package.download_bytes + package.installed_bytes for package in wanted) + _SPARE_BYTES
        require_space(kernels_dir(), need, "fetching the kernel")
        size = sum(package.download_bytes for package in wanted)
        progress(f"downloading {len(wanted)} kernel packages of {suite}, {size / 1e6:.0f} MB")
        return packages, apt.download(wanted, Path(tempfile.mkdtemp(dir=folder)))


def obtain_source(series: str, folder: Path, progress: Progress) -> tuple[Package, Path]:
    """The source package of ``series``, downloaded into ``folder``. HostError."""
    suite = SUITES[series]
    progress(f"fetching the package lists of {suite}")
    with open_suite(suite, progress) as apt:
        source = apt.show(f"linux-source-{series}")
        require_space(kernels_dir(), source.download_bytes + _SPARE_BYTES, "fetching the kernel source")
        progress(f"downloading {source.wanted} of {suite}, {source.download_bytes / 1e6:.0f} MB")
        return source, apt.download([source], folder)[source]


def unpack(package: Path, folder: Path) -> None:
    """Unpack a .deb's files below ``folder``, without scripts, as the current user."""
    run(["dpkg-deb", "-x", str(package), str(folder)], deadline_s=_UNPACK_DEADLINE_S)


def extract_zram_source(package: Path, folder: Path) -> None:
    """Take drivers/block/zram alone out of a linux-source .deb, as plain files in ``folder``.

    The tarball inside is 1.4 GB unpacked, so both archives are streamed, and only until the
    folder is complete.
    """
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    assert reader.stdout is not None
    taken: list[str] = []
    try:
        with tarfile.open(fileobj=reader.stdout, mode="r|") as outer:
            for member in outer:
                if member.isfile() and member.name.endswith(f"linux-source-{SERIES}.tar.xz"):
                    inner = outer.extractfile(member)
                    if inner is not None:
                        taken = _extract_folder(inner, folder)
                    break
    except (tarfile.TarError, EOFError, OSError) as error:
        raise HostError(f"{package.name} cannot be unpacked: {error}") from error
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()
    if "zram_drv.c" not in taken:
        raise HostError(f"{package.name} has no {ZRAM_IN_SOURCE}/zram_drv.c")


def _extract_folder(tarball: IO[bytes], folder: Path) -> list[str]:
    taken: list[str] = []
    with tarfile.open(fileobj=tarball, mode="r|xz") as source:
        for member in source:
            parent, _, name = member.name.partition("/")[2].rpartition("/")
            if parent == ZRAM_IN_SOURCE and member.isfile():
                content = source.extractfile(member)
                if content is not None:
                    (folder / name).write_bytes(content.read())
                    taken.append(name)
            elif taken:
                # A tarball keeps a folder's files together: it is complete.
                break
    return taken
