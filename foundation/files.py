"""Atomic writes, hashes of files, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from foundation.errors import HostError

#: Suffix of a file that is still being written.
PARTIAL: Final = ".partial"
_LOCK_POLL_S: Final = 0.2


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o666, durable: bool = False) -> Iterator[Path]:
    """A new empty file next to ``path`` that replaces it when the block ends without an exception.

    A reader sees the old file or the new one, never half of one; after an exception only the
    old one is left. A process that is killed leaves a file that ends in `PARTIAL`. ``mode``
    is subject to the umask. With ``durable`` content and name survive a power cut once the
    block has ended. OSError as raised.
    """
    # Thread ids are unique on a machine: two writers of one file never share a partial one.
    partial = path.with_name(f"{path.name}.{threading.get_native_id()}{PARTIAL}")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield partial
        if durable:
            _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        _sync(path.parent)


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o666, durable: bool = False) -> None:
    """Write a file atomically, text as UTF-8; arguments and errors as for `replacing`."""
    with replacing(path, mode=mode, durable=durable) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def move_atomic(source: Path, target: Path) -> None:
    """Move a file, also to another disk: one of the two is complete at any time. OSError as raised."""
    write_atomic(target, source.read_bytes(), durable=True)
    source.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content in hex. HostError if it cannot be read."""
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_sha256_of(path: Path) -> str:
    """As `sha256_of`, but reads a file again only if its size, time or inode changed."""
    with _readable(path):
        facts = path.stat()
    return _cached_sha256(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)


@functools.lru_cache(maxsize=64)
def _cached_sha256(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    return sha256_of(path)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HostError(
            f"cannot read {path}: {error.strerror}", next_step="check its permissions"
        ) from error


def lock_file(
    path: Path, *, deadline_s: float = 0.0, on_wait: Callable[[], None] = lambda: None
) -> IO[str]:
    """Lock ``path`` (created if absent) against other processes until the returned file is closed.

    ``on_wait`` is called once if another process holds the lock. BlockingIOError if it still
    does after ``deadline_s``; any other OSError as raised.
    """
    lock = path.open("w")
    end = time.monotonic() + deadline_s
    is_waiting = False
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if not is_waiting:
                    on_wait()
                    is_waiting = True
                if time.monotonic() >= end:
                    raise
            time.sleep(_LOCK_POLL_S)
    except BaseException:
        lock.close()
        raise
