"""Which Debian archive to ask on this host, and the key that verifies it.

The archive is the first of: ``RECLAIM_SUITE_DEBIAN_MIRROR`` (``MAIN [SECURITY]``), the Debian
archive in the host's sources, Debian's public address.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from foundation.errors import HostError, UsageError
from harness.virtual.packages.host_command import run

ENV_MIRROR = "RECLAIM_SUITE_DEBIAN_MIRROR"
PUBLIC_ARCHIVE = "http://ftp.debian.org/debian"
# Newer releases of the package use .pgp.
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)

_LOOKUP_DEADLINE_S = 60.0
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
