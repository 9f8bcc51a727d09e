"""Debian's cloud kernel and what an external module needs, fetched by apt and verified.

Nothing is installed and root is not needed: packages are downloaded and unpacked below
the cache. apt itself checks each file against the archive's signed lists; the SHA-256 of
apt's record is checked once more here, before anything is unpacked.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from foundation.errors import HostError
from foundation.files import sha256_of
from foundation.progress import Progress
from harness.virtual.kernels.apt_records import (
    Package,
    image_abi,
    package_of,
    parse_fields,
)
from harness.virtual.kernels.host_command import require_programs, run
from harness.virtual.kernels.products import (
    kernels_dir,
    require_space,
)

META_PACKAGE = "linux-image-cloud-amd64"
SERIES = "6.1"
ZRAM_IN_SOURCE = "drivers/block/zram"

_LOOKUP_DEADLINE_S = 60.0
_UPDATE_DEADLINE_S = 300.0
_DOWNLOAD_DEADLINE_S = 1800.0
_UNPACK_DEADLINE_S = 300.0
_SPARE_BYTES = 100_000_000


@dataclass(frozen=True)
class KernelPackages:
    """The packages of one kernel build; all but ``source`` and ``image`` are for building modules."""

    abi: str
    image: Package
    source: Package
    build: tuple[Package, ...]

    @property
    def key(self) -> str:
        """Names this build in the cache."""
        return f"{self.abi}_{self.image.version.replace('~', '-').replace(':', '-')}"


class Apt:
    """apt-cache and apt-get with the host's package lists, or with private ones.

    ``lists`` None means the host's lists. With a folder, apt keeps its lists there
    (the host's sources and keys are still the ones in use).
    """

    def __init__(self, lists: Path | None = None) -> None:
        self._options: list[str] = []
        if os.geteuid() == 0:
            # apt would drop to a user of its own, who may not write into our cache.
            self._options += ["-o", "APT::Sandbox::User=root"]
        if lists is not None:
            state = lists / "lists"
            (state / "partial").mkdir(parents=True, exist_ok=True)
            (lists / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
            self._options += ["-o", f"Dir::State::Lists={state}", "-o", f"Dir::Cache={lists / 'cache'}"]

    def update(self) -> None:
        """Fetch the lists of the configured archives."""
        run(["apt-get", *self._options, "update"], deadline_s=_UPDATE_DEADLINE_S)

    def show(self, wanted: str) -> Package:
        """The record of ``NAME`` (its candidate) or ``NAME=VERSION``; HostError if apt does not know it."""
        command = ["apt-cache", *self._options, "--no-all-versions", "show", wanted]
        try:
            records = parse_fields(run(command, deadline_s=_LOOKUP_DEADLINE_S))
        except HostError as error:
            if "No packages found" not in error.what and "Unable to locate" not in error.what:
                raise
            records = []
        if not records:
            raise HostError(f"apt knows no package {wanted}")
        return package_of(records[0])

    def download(self, packages: Sequence[Package], folder: Path) -> dict[Package, Path]:
        """Download into ``folder`` and verify; HostError if a file is not what apt's record says."""
        wanted = [package.wanted for package in packages]
        run(["apt-get", *self._options, "download", *wanted], deadline_s=_DOWNLOAD_DEADLINE_S, cwd=folder)
        files: dict[Package, Path] = {}
        for package in packages:
            found = sorted(folder.glob(f"{package.name}_*.deb"))
            if len(found) != 1:
                raise HostError(f"apt-get download left {len(found)} files for {package.wanted}")
            if sha256_of(found[0]) != package.sha256:
                raise HostError(
                    f"{found[0].name} does not have the SHA-256 of apt's record",
                    next_step="run again; if it stays so, the mirror or a proxy alters files",
                )
            files[package] = found[0]
        return files


def resolve(apt: Apt) -> KernelPackages:
    """The packages of the cloud kernel that the archive serves now; HostError if it cannot be had."""
    meta = apt.show(META_PACKAGE)
    abi = image_abi(meta)
    if not abi.startswith(f"{SERIES}."):
        raise HostError(
            f"the configured archive serves kernel {abi}; the compression thread is written for {SERIES}",
            next_step="configure the archive of Debian 12 (bookworm) for apt",
        )
    image = apt.show(f"linux-image-{abi}")
    headers = apt.show(f"linux-headers-{abi}={image.version}")
    # Common headers, kbuild and the compiler package come from what the headers ask for.
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
    """Resolve the kernel's packages, and download those that ``select`` names into ``folder``.

    The host's package lists are tried first. If they know nothing (a container without lists)
    or are out of date (the archive drops old ABIs), lists are fetched into the cache and
    everything is resolved anew. Raises HostError.
    """
    require_programs({"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"})
    failure = HostError("not tried")
    for lists in (None, kernels_dir() / "apt"):
        apt = Apt(lists)
        try:
            if lists is not None:
                progress(f"apt's lists do not serve ({failure.what}): fetching lists into the cache")
                apt.update()
            packages = resolve(apt)
        except HostError as error:
            failure = error
            continue
        wanted = select(packages)
        need = sum(package.download_bytes + package.installed_bytes for package in wanted) + _SPARE_BYTES
        require_space(kernels_dir(), need, "fetching the kernel")
        size = sum(package.download_bytes for package in wanted)
        progress(f"downloading {len(wanted)} kernel packages, {size / 1e6:.0f} MB")
        try:
            return packages, apt.download(wanted, Path(tempfile.mkdtemp(dir=folder)))
        except HostError as error:
            failure = error
    raise HostError(
        f"the kernel packages cannot be had from apt: {failure.what}",
        next_step=(
            f"configure a Debian 12 archive that serves {META_PACKAGE}, its linux-headers-*, "
            f"linux-kbuild-{SERIES}, linux-compiler-gcc-*-x86 and linux-source-{SERIES}"
        ),
    ) from failure


def unpack(package: Path, folder: Path) -> None:
    """Unpack a .deb's files below ``folder``, without scripts, as the current user."""
    run(["dpkg-deb", "-x", str(package), str(folder)], deadline_s=_UNPACK_DEADLINE_S)


def extract_zram_source(package: Path, folder: Path) -> None:
    """Take drivers/block/zram alone out of a linux-source .deb, as plain files in ``folder``.

    The tarball inside is 1.4 GB unpacked, so both archives are read as streams and left as
    soon as the folder is complete.
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
        raise HostError(f"{package.name} holds no {ZRAM_IN_SOURCE}/zram_drv.c")


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
