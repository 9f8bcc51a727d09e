"""Hashes of files, each read once as long as it does not change."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from foundation.errors import HostError


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex. HostError if it cannot be read."""
    try:
        facts = path.stat()
        return _hashed(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror}", next_step="check its rights") from error


@functools.lru_cache(maxsize=64)
def _hashed(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
