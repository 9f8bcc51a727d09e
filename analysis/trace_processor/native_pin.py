"""The native trace processor that the perfetto package pins by hash: find it, download it.

The package's own download needs curl, has no deadline, trusts an existing file, and raises bare exceptions.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.cache import cache_dir
from foundation.errors import HostError
from foundation.files import cached_sha256_of, write_atomic

_FOLDER: Final = "engines"
_DEADLINE_S: Final = 60.0
_LARGEST: Final = 200 << 20


@dataclass(frozen=True)
class Pin:
    """Where the perfetto package downloads its binary, and the hash it must have."""

    url: str
    file_name: str
    sha256: str


def pin() -> Pin | None:
    """The pin for this machine, from the perfetto package's manifest; None if it has none."""
    from perfetto.prebuilts.manifests.trace_processor_shell import TRACE_PROCESSOR_SHELL_MANIFEST

    machine = platform.machine().lower()
    for entry in TRACE_PROCESSOR_SHELL_MANIFEST:
        if entry.get("platform") == sys.platform and machine in entry.get("machine", ()):
            root, dot, extension = str(entry["file_name"]).partition(".")
            digest = str(entry["sha256"])
            # The name that the package's own download uses.
            return Pin(str(entry["url"]), f"{root}-{digest[:16]}{dot}{extension}", digest)
    return None


def installed_native() -> Path | None:
    """The pinned binary in the suite's or the perfetto package's cache; None if it is in neither.

    HostError if a file of that name has another hash.
    """
    pinned = pin()
    if pinned is None:
        return None
    folders = (cache_dir(_FOLDER), Path.home() / ".local" / "share" / "perfetto" / "prebuilts")
    for path in (folder / pinned.file_name for folder in folders):
        if not path.is_file():
            continue
        if cached_sha256_of(path) != pinned.sha256:
            raise HostError(
                f"{path} is not the pinned trace processor", next_step="remove it, or use --engine wasm"
            )
        return path
    return None


def download_native() -> Path:
    """Download the pinned binary to the suite's cache. HostError if that fails or the hash differs."""
    import urllib.request

    pinned = pin()
    if pinned is None:
        raise HostError(
            f"no native trace processor exists for {platform.machine()}", next_step="use --engine wasm"
        )
    path = cache_dir(_FOLDER) / pinned.file_name
    try:
        with urllib.request.urlopen(pinned.url, timeout=_DEADLINE_S) as source:
            content = source.read(_LARGEST)
        if hashlib.sha256(content).hexdigest() != pinned.sha256:
            raise HostError("the download is not the pinned trace processor", next_step="use --engine wasm")
        write_atomic(path, content, mode=0o700)
    except OSError as error:
        raise HostError(
            f"cannot download the native trace processor: {error}", next_step="use --engine wasm"
        ) from error
    return path
