"""Packages of a named Debian suite on any host system: a private apt root in the cache.

The root has its own sources, lists and download cache: the host's lists, sources and installed
packages are neither read nor changed, and no root rights are needed. apt verifies each list and
file with Debian's archive keyring. The host's ``/etc/apt/apt.conf.d`` (proxies) and
``auth.conf.d`` apply. The archive is the first of: ``RECLAIM_SUITE_DEBIAN_MIRROR``
(``MAIN [SECURITY]``), the Debian archive in the host's sources, Debian's public address.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from foundation.cache import cache_dir
from foundation.errors import HostError, UsageError
from foundation.files import sha256_of
from foundation.progress import Progress
from harness.virtual.kernels.apt_records import Package, package_of, parse_fields
from harness.virtual.kernels.host_command import require_programs, run
from harness.virtual.kernels.products import locked

ENV_MIRROR = "RECLAIM_SUITE_DEBIAN_MIRROR"
PUBLIC_ARCHIVE = "http://ftp.debian.org/debian"
# Newer releases of the package use .pgp.
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)

_LOOKUP_DEADLINE_S = 60.0
_UPDATE_DEADLINE_S = 300.0
_DOWNLOAD_DEADLINE_S = 1800.0
_LOCK_DEADLINE_S = 1800.0
_INDEX = re.compile(r"^'(?P<base>\S+)/dists/(?P<suite>[^/\s]+)/main/binary-[^/]+/Packages", re.MULTILINE)
# Third parties also serve folders named debian, but below longer paths.
_ARCHIVE_PATH = re.compile(r"/debian(?!-security)[^/]*(/\d{8}T\d{6}Z)?$")
_SECURITY_PATH = re.compile(r"/debian[^/]*(/\d{8}T\d{6}Z)?$")


@dataclass(frozen=True)
class Archive:
    """Addresses of a Debian archive: ``main`` has the suites, ``security`` their -security suites.

    ``security`` is None if the mirror has none; ``origin`` is the source of the addresses, for messages.
    """

    main: str
    security: str | None
    origin: str


def archive_of_setting(value: str) -> Archive:
    """The archive in the setting ``MAIN`` or ``MAIN SECURITY``; UsageError for anything else."""
    words = value.split()
    if not 1 <= len(words) <= 2 or not all(urlsplit(word).scheme for word in words):
        raise UsageError(
            f"{ENV_MIRROR} is '{value}'",
            next_step="set it to the address of a Debian mirror, such as http://HOST/debian, "
            "and optionally that of its security archive, separated by a space",
        )
    main, security = (*words, None)[:2]
    assert main is not None
    return Archive(main.rstrip("/"), security and security.rstrip("/"), ENV_MIRROR)


def archive_of_sources(uris: str) -> Archive | None:
    """The Debian archive in the output of ``apt-get --print-uris update``, or None (an Ubuntu host)."""
    indexes = [(match["base"], match["suite"]) for match in _INDEX.finditer(uris)]
    main = [b for b, suite in indexes if suite.isalpha() and _ARCHIVE_PATH.search(urlsplit(b).path)]
    security = [
        b for b, suite in indexes if suite.endswith("-security") and _SECURITY_PATH.search(urlsplit(b).path)
    ]
    if not main:
        return None

    def shortest(bases: Sequence[str]) -> str:
        return min(bases, key=lambda base: len(urlsplit(base).path.split("/")))

    return Archive(shortest(main), shortest(security) if security else None, "this host's apt sources")


def choose_archive() -> Archive:
    """The archive to use on this host; UsageError for a malformed setting, HostError if apt fails."""
    setting = os.environ.get(ENV_MIRROR, "").strip()
    if setting:
        return archive_of_setting(setting)
    with tempfile.TemporaryDirectory() as empty:
        # With empty lists apt prints the index of each component, without using the network.
        uris = run(
            ["apt-get", "-o", f"Dir::State::Lists={empty}", "--print-uris", "update"],
            deadline_s=_LOOKUP_DEADLINE_S,
        )
    return archive_of_sources(uris) or Archive(PUBLIC_ARCHIVE, None, "Debian's public address")


def find_keyring() -> Path:
    """Debian's archive keyring; HostError naming its package if this host has none."""
    for path in KEYRINGS:
        if path.is_file():
            return path
    raise HostError(
        "this machine lacks Debian's archive keyring", next_step="apt-get install debian-archive-keyring"
    )


def sources_text(suite: str, archive: Archive, keyring: Path) -> str:
    """The sources file of the private root, in apt's deb822 format."""
    entries = [(archive.main, suite)]
    if archive.security is not None:
        entries.append((archive.security, f"{suite}-security"))
    return "\n".join(
        f"Types: deb\nURIs: {base}\nSuites: {suites}\nComponents: main\n"
        f"Architectures: amd64\nSigned-By: {keyring}\n"
        for base, suites in entries
    )


def configuration_text(root: Path) -> str:
    """apt's configuration for the private root; it is read after the host's and overrides it."""
    lines = [
        # Update hooks of the host clean and refresh the host's caches.
        "#clear APT::Update::Pre-Invoke;",
        "#clear APT::Update::Post-Invoke;",
        "#clear APT::Update::Post-Invoke-Success;",
        "#clear Acquire::IndexTargets::deb::DEP-11;",
        f'Dir::State "{root}/state";',
        f'Dir::State::Lists "{root}/lists";',
        f'Dir::State::status "{root}/status";',
        f'Dir::Cache "{root}/cache";',
        f'Dir::Etc::SourceList "{root}/debian.sources";',
        'Dir::Etc::SourceParts "/dev/null";',
        'Dir::Etc::Preferences "/dev/null";',
        'Dir::Etc::PreferencesParts "/dev/null";',
        'Acquire::Languages "none";',
        'APT::Default-Release "";',
        'APT::Update::Error-Mode "any";',
    ]
    if os.geteuid() == 0:
        # Otherwise apt drops to its own user, which cannot write to our cache.
        lines.append('APT::Sandbox::User "root";')
    return "\n".join(lines) + "\n"


class AptSuite:
    """apt-get and apt-cache for one Debian suite in a private root. Created by `open_suite`."""

    def __init__(self, suite: str, root: Path, archive: Archive) -> None:
        self.suite = suite
        self.archive = archive
        self._configuration = root / "apt.conf"
        for folder in ("state", "lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "status").touch()
        (root / "debian.sources").write_text(sources_text(suite, archive, find_keyring()))
        self._configuration.write_text(configuration_text(root))

    def _run(self, program: str, *words: str, deadline_s: float, cwd: Path | None = None) -> str:
        return run([program, "-c", str(self._configuration), *words], deadline_s=deadline_s, cwd=cwd)

    def update(self) -> None:
        """Fetch the suite's lists (9 MB). HostError if one cannot be fetched or verified."""
        self._run("apt-get", "update", deadline_s=_UPDATE_DEADLINE_S)

    def show(self, wanted: str) -> Package:
        """The record of ``NAME`` (its candidate) or ``NAME=VERSION``; HostError if the suite lacks it."""
        try:
            text = self._run(
                "apt-cache", "--no-all-versions", "show", wanted, deadline_s=_LOOKUP_DEADLINE_S
            )
            records = parse_fields(text)
        except HostError as error:
            if "No packages found" not in error.what and "Unable to locate" not in error.what:
                raise
            records = []
        if not records:
            raise HostError(f"{self.suite} has no package {wanted}")
        return package_of(records[0])

    def download(self, packages: Sequence[Package], folder: Path) -> dict[Package, Path]:
        """Download into ``folder`` and verify; HostError if a file differs from apt's record."""
        wanted = [package.wanted for package in packages]
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


@contextmanager
def open_suite(suite: str, progress: Progress) -> Iterator[AptSuite]:
    """The suite with freshly fetched lists; one process at a time uses its private root.

    HostError names the archive, and how to use another one.
    """
    require_programs({"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"})
    root = cache_dir("apt", suite)
    waiting = f"waiting for another process that uses the package lists of {suite}"
    with locked(root / "lock", progress, waiting, _LOCK_DEADLINE_S):
        apt = AptSuite(suite, root, choose_archive())
        try:
            apt.update()
            yield apt
        except HostError as error:
            if error.next_step is not None:
                raise
            raise HostError(
                f"cannot fetch packages of {suite} from {apt.archive.main} ({apt.archive.origin}): "
                f"{error.what}",
                next_step=f"set {ENV_MIRROR} to a Debian mirror that has {suite}, such as http://HOST/debian",
            ) from error
