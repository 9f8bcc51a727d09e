"""Debian's kernels by base, their source and the headers, from the suite with the series.

Nothing is installed and root is not needed: packages are downloaded and unpacked in the cache.
apt verifies each file with the archive's signed lists; its SHA-256 in apt's record is checked
again before it is unpacked.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from foundation.cache import cache_dir
from foundation.errors import HostError
from foundation.progress import Progress
from harness.virtual.base import NEWEST, Base, debian_arch
from harness.virtual.packages.apt_root import AptRoot, open_root
from harness.virtual.packages.products import require_space
from harness.virtual.packages.records import Package

# Series of Debian's kernel -> the suite that has it. Debian 12's security archive has 6.12 too, but
# only there: the public address has none, and Debian 13 serves one version for all architectures.
SUITES: Final = {"6.1": "bookworm", "6.12": "trixie", NEWEST: "forky"}
# The base that zram_kcompressd is written for.
MODULE_BASE: Final = Base("6.1", "x86_64", 4)
ZRAM_IN_SOURCE = "drivers/block/zram"

# Newer packages keep the image, the modules, and the list of those built in apart.
_IMAGE_PARTS: Final = ("linux-binary-", "linux-modules-", "linux-base-")
_SERIES = re.compile(r"\d+\.\d+")
_SPARE_BYTES = 100_000_000


@dataclass(frozen=True)
class KernelPackages:
    """The packages of one kernel. ``image``: boot image and modules; ``source``: that of all its builds;
    ``build``: those for building modules, for `MODULE_BASE` alone."""

    abi: str
    image: tuple[Package, ...]
    source: Package
    build: tuple[Package, ...]

    @property
    def version(self) -> str:
        """Debian's version, such as 6.12.118-1."""
        return self.image[0].version

    @property
    def key(self) -> str:
        """The name of this build in the cache."""
        return f"{self.abi}_{self.version.replace('~', '-').replace(':', '-')}"


def kernels_dir() -> Path:
    """The cache folder of packaged kernels and modules."""
    return cache_dir("kernels")


def meta_package(base: Base) -> str:
    """The package that depends on the current kernel of the base.

    The cloud flavour has few drivers; only the general one has pages of 16 KiB.
    """
    flavour = "cloud-" if base.page_kb == 4 else ""
    pages = "" if base.page_kb == 4 else f"-{base.page_kb}k"
    return f"linux-image-{flavour}{debian_arch(base.arch)}{pages}"


def image_abi(meta: Package) -> str:
    """The ABI that the meta package currently depends on (``6.1.0-99-cloud-amd64``)."""
    for name, _ in meta.depends:
        if name.startswith("linux-image-") and name != meta.name:
            return name.removeprefix("linux-image-")
    raise HostError(
        f"{meta.name} {meta.version} depends on no kernel image",
        next_step="check the archive that apt is configured for",
    )


def resolve(apt: AptRoot, base: Base) -> KernelPackages:
    """The packages of the suite's current kernel for ``base``. HostError if one is missing."""
    abi = image_abi(apt.show(meta_package(base)))
    series = _SERIES.match(abi)
    if series is None or base.series not in (series[0], NEWEST):
        raise HostError(f"{apt.name} has kernel {abi}, not {base.series}")
    image = apt.show(f"linux-image-{abi}")

    def parts(package: Package, *prefixes: str) -> tuple[Package, ...]:
        names = [name for name, _ in package.depends if name.startswith(prefixes)]
        return tuple(apt.show(f"{name}={package.version}") for name in names)

    build: tuple[Package, ...] = ()
    if base == MODULE_BASE:
        headers = apt.show(f"linux-headers-{abi}={image.version}")
        # Common headers, kbuild and the compiler package are dependencies of the headers.
        build = (headers, *parts(headers, "linux-headers-", "linux-kbuild-", "linux-compiler-"))
    return KernelPackages(
        abi=abi,
        image=(image, *parts(image, *_IMAGE_PARTS)),
        source=apt.show(f"linux-source-{series[0]}={image.version}"),
        build=build,
    )


def obtain(
    base: Base,
    select: Callable[[KernelPackages], Sequence[Package]],
    folder: Path,
    progress: Progress,
) -> tuple[KernelPackages, dict[Package, Path]]:
    """Resolve the kernel's packages, and download those that ``select`` returns into ``folder``.

    The suite depends on the series, not on the host. The ABI is resolved from freshly fetched
    lists, because an archive drops old ones. HostError.
    """
    suite = SUITES[base.series]
    with open_root((suite,), base.arch, progress) as apt:
        packages = resolve(apt, base)
        wanted = select(packages)
        need = sum(package.download_bytes + package.installed_bytes for package in wanted) + _SPARE_BYTES
        require_space(kernels_dir(), need, "fetching the kernel")
        size = sum(package.download_bytes for package in wanted)
        progress(f"downloading {len(wanted)} packages of kernel {packages.abi}, {size / 1e6:.0f} MB")
        return packages, apt.download(wanted, Path(tempfile.mkdtemp(dir=folder)))


def obtain_source(series: str, folder: Path, progress: Progress) -> tuple[Package, Path]:
    """The source package of ``series``, downloaded into ``folder``. HostError."""
    with open_root((SUITES[series],), "x86_64", progress) as apt:
        source = apt.show(f"linux-source-{series}")
        require_space(kernels_dir(), source.download_bytes + _SPARE_BYTES, "fetching the kernel source")
        progress(f"downloading {source.wanted} of {source.suite}, {source.download_bytes / 1e6:.0f} MB")
        return source, apt.download([source], folder)[source]


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
                if member.isfile() and member.name.endswith(f"linux-source-{MODULE_BASE.series}.tar.xz"):
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
