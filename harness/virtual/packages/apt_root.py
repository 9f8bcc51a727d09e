"""Packages of named Debian suites and an architecture on any host system: a private apt root in the cache.

The root has its own sources, lists and download cache: the host's lists, sources, architecture and
installed packages are neither read nor changed, and no root rights are needed. apt verifies each
list and file with Debian's archive keyring. The host's ``/etc/apt/apt.conf.d`` (proxies) and
``auth.conf.d`` apply.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from foundation.cache import cache_dir
from foundation.contract.arch import Arch
from foundation.errors import HostError
from foundation.files import sha256_of
from foundation.progress import Progress
from harness.virtual.base import debian_arch
from harness.virtual.packages.archive import ENV_MIRROR, Archive, choose_archive, find_keyring
from harness.virtual.packages.host_command import require_programs, run
from harness.virtual.packages.products import locked
from harness.virtual.packages.records import (
    Package,
    package_of,
    parse_fields,
    parse_installed,
    parse_served,
    reachable,
)

_LOOKUP_DEADLINE_S = 120.0
_UPDATE_DEADLINE_S = 300.0
_DOWNLOAD_DEADLINE_S = 1800.0
_LOCK_DEADLINE_S = 1800.0
_UNPACK_DEADLINE_S = 300.0


def has_security(suite: str) -> bool:
    """Whether the security archive serves the suite: not sid, and no backports."""
    return suite != "sid" and "-" not in suite


def sources_text(suites: Sequence[str], arch: Arch, archive: Archive, keyring: Path) -> str:
    """The sources file of the private root, in apt's deb822 format."""
    entries = [(archive.main, " ".join(suites))]
    secured = " ".join(f"{suite}-security" for suite in suites if has_security(suite))
    if archive.security is not None and secured:
        entries.append((archive.security, secured))
    return "\n".join(
        f"Types: deb\nURIs: {base}\nSuites: {served}\nComponents: main\n"
        f"Architectures: {debian_arch(arch)}\nSigned-By: {keyring}\n"
        for base, served in entries
    )


def configuration_text(root: Path, suite: str, arch: Arch) -> str:
    """apt's configuration for the private root; it is read after the host's and overrides it.

    Candidates are those of ``suite`` and its security suite; a release is also preferred by name,
    as backports are not otherwise.
    """
    lines = [
        # Update hooks of the host clean and refresh the host's caches.
        "#clear APT::Update::Pre-Invoke;",
        "#clear APT::Update::Post-Invoke;",
        "#clear APT::Update::Post-Invoke-Success;",
        "#clear Acquire::IndexTargets::deb::DEP-11;",
        "#clear APT::Architectures;",
        f'APT::Architecture "{debian_arch(arch)}";',
        f'APT::Architectures {{ "{debian_arch(arch)}"; }};',
        f'APT::Default-Release "/^{re.escape(suite)}(-security)?$/";',
        f'Dir::State "{root}/state";',
        f'Dir::State::Lists "{root}/lists";',
        f'Dir::State::status "{root}/status";',
        f'Dir::Cache "{root}/cache";',
        # Images of containers switch these off; each look-up would read all lists.
        'Dir::Cache::pkgcache "pkgcache.bin";',
        'Dir::Cache::srcpkgcache "srcpkgcache.bin";',
        f'Dir::Etc::SourceList "{root}/debian.sources";',
        'Dir::Etc::SourceParts "/dev/null";',
        'Dir::Etc::Preferences "/dev/null";',
        'Dir::Etc::PreferencesParts "/dev/null";',
        'Acquire::Languages "none";',
        'APT::Update::Error-Mode "any";',
    ]
    if os.geteuid() == 0:
        # Otherwise apt drops to its own user, which cannot write to our cache.
        lines.append('APT::Sandbox::User "root";')
    return "\n".join(lines) + "\n"


class AptRoot:
    """apt-get and apt-cache for some suites of one architecture. Created by `open_root`.

    A package is taken from the first suite unless another one is named (``perfetto/forky``).
    """

    def __init__(self, suites: Sequence[str], arch: Arch, root: Path, archive: Archive) -> None:
        self.suites = tuple(suites)
        self.arch = arch
        self.archive = archive
        self._configuration = root / "apt.conf"
        for folder in ("state", "lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        (root / "debian.sources").write_text(sources_text(suites, arch, archive, find_keyring()))
        self._configuration.write_text(configuration_text(root, suites[0], arch))

    @property
    def name(self) -> str:
        """The suites and the architecture, for messages."""
        return f"{', '.join(self.suites)} ({debian_arch(self.arch)})"

    def _run(self, program: str, *words: str, deadline_s: float, cwd: Path | None = None) -> str:
        return run([program, "-c", str(self._configuration), *words], deadline_s=deadline_s, cwd=cwd)

    def update(self) -> None:
        """Fetch the lists (10 MB a suite). HostError if one cannot be fetched or verified."""
        self._run("apt-get", "update", deadline_s=_UPDATE_DEADLINE_S)

    def show(self, wanted: str) -> Package:
        """The record of ``NAME`` (its candidate), ``NAME=VERSION`` or ``NAME/SUITE``.

        HostError if there is none.
        """
        return next(iter(self._records([wanted]).values()))

    def _records(self, wanted: Sequence[str]) -> dict[str, Package]:
        """Package by name."""
        try:
            text = self._run(
                "apt-cache", "--no-all-versions", "show", *wanted, deadline_s=_LOOKUP_DEADLINE_S
            )
            records = parse_fields(text)
        except HostError as error:
            absent = ("No packages found", "Unable to locate", "was not found")
            if not any(words in error.what for words in absent):
                raise
            records = []
        if not records:
            raise HostError(f"{self.name} has no package {' '.join(wanted)}")
        names = sorted({record.get("Package", "") for record in records})
        served = parse_served(
            self._run("apt-cache", "madison", *names, deadline_s=_LOOKUP_DEADLINE_S),
        )
        packages = (package_of(record, self._suite(record, served)) for record in records)
        return {package.name: package for package in packages}

    def _suite(self, record: Mapping[str, str], served: Mapping[tuple[str, str], set[str]]) -> str:
        """The first of our suites that serves the record's version: ``trixie`` or ``trixie-security``."""
        found = served.get((record.get("Package", ""), record.get("Version", "")), set())
        order = [name for suite in self.suites for name in (suite, f"{suite}-security")]
        return next((name for name in order if name in found), self.suites[0])

    def closure(self, wanted: Sequence[str], without: Iterable[str] = ()) -> tuple[Package, ...]:
        """The packages ``wanted`` (as for `show`) and all that they depend on, by apt's own resolver.

        ``without`` names packages to leave out with what only they need: those of maintainer scripts,
        which are not run. HostError if apt cannot satisfy the dependencies.
        """
        text = self._run(
            "apt-get",
            "--simulate",
            "--quiet",
            "--no-install-recommends",
            "install",
            *wanted,
            deadline_s=_LOOKUP_DEADLINE_S,
        )
        versions = parse_installed(text)
        packages = self._records([f"{name}={version}" for name, version in versions.items()])
        roots = [re.split("[=/]", each)[0] for each in wanted]
        return reachable(roots, packages, frozenset(without))

    def download(self, packages: Sequence[Package], folder: Path) -> dict[Package, Path]:
        """Download into ``folder`` and verify; HostError if a file differs from apt's record."""
        wanted = [package.wanted for package in packages]
        if wanted:
            self._run("apt-get", "download", *wanted, deadline_s=_DOWNLOAD_DEADLINE_S, cwd=folder)
        files: dict[Package, Path] = {}
        for package in packages:
            debs = sorted(folder.glob(f"{package.name}_*.deb"))
            if len(debs) != 1:
                raise HostError(f"apt-get download left {len(debs)} files for {package.wanted}")
            if sha256_of(debs[0]) != package.sha256:
                raise HostError(
                    f"{debs[0].name} does not have the SHA-256 of apt's record",
                    next_step="run it again; if the error persists, the mirror or a proxy alters files",
                )
            files[package] = debs[0]
        return files


def unpack(package: Path, folder: Path) -> None:
    """Unpack a .deb's files below ``folder``, without scripts, as the current user. HostError."""
    run(["dpkg-deb", "-x", str(package), str(folder)], deadline_s=_UNPACK_DEADLINE_S)


@contextmanager
def open_root(suites: Sequence[str], arch: Arch, progress: Progress) -> Iterator[AptRoot]:
    """The suites, the preferred one first, with freshly fetched lists.

    One process at a time uses the root of a set of suites. Errors of apt name the archive, and how
    to use another one. HostError.
    """
    require_programs({"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"})
    root = cache_dir("apt", f"{'+'.join(suites)}-{debian_arch(arch)}")
    words = f"{' and '.join(suites)} ({debian_arch(arch)})"
    waiting = f"waiting for another process that uses the package lists of {words}"
    with locked(root / "lock", progress, waiting, _LOCK_DEADLINE_S):
        apt = AptRoot(suites, arch, root, choose_archive())
        try:
            progress(f"fetching the package lists of {words}")
            apt.update()
            yield apt
        except HostError as error:
            if error.next_step is not None:
                raise
            raise HostError(
                f"cannot fetch packages of {words} from {apt.archive.main} ({apt.archive.origin}): "
                f"{error.what}",
                next_step=f"set {ENV_MIRROR} to a Debian mirror that has {suites[0]}, such as http://HOST/debian",
            ) from error
