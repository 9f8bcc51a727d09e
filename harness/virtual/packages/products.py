"""Folders in the cache that are complete or absent: a lock, an atomic rename, a manifest of hashes."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from foundation.errors import HostError
from foundation.files import lock_file, sha256_of, write_atomic
from foundation.progress import Progress

MANIFEST = "manifest.json"
_MANIFEST_SCHEMA = 1
_TEMPORARY = ".building-"
_LOCK_DEADLINE_S = 1800.0


def _inventory(folder: Path) -> dict[str, str]:
    """Relative path -> content hash, or ``-> target`` for a symbolic link."""
    return {
        name: f"-> {path.readlink()}" if path.is_symlink() else sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
        if (name := path.relative_to(folder).as_posix()) != MANIFEST
    }


def seal(folder: Path, facts: Mapping[str, object]) -> None:
    """Write the manifest of a finished folder: every file's hash, and the facts."""
    record = {"schema": _MANIFEST_SCHEMA, "facts": dict(facts), "files": _inventory(folder)}
    (folder / MANIFEST).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def damage(folder: Path) -> str | None:
    """What is wrong with a sealed folder, or None if it is unchanged.

    A folder is damaged if it or its manifest is absent, or if a file is missing, changed or
    additional.
    """
    if not folder.is_dir():
        return "is absent"
    try:
        record = json.loads((folder / MANIFEST).read_text())
        expected = record["files"]
        if record["schema"] != _MANIFEST_SCHEMA or not isinstance(expected, dict):
            return "has a manifest of another schema"
    except (OSError, ValueError, KeyError, TypeError):
        return "has no readable manifest"
    actual = _inventory(folder)
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            return f"lacks {name}"
        if name not in expected:
            return f"has a foreign file {name}"
        if expected[name] != actual[name]:
            return f"has a changed {name}"
    return None


def facts_of(folder: Path) -> dict[str, object]:
    """The facts given to `seal`; the folder must be undamaged."""
    facts: dict[str, object] = json.loads((folder / MANIFEST).read_text())["facts"]
    return facts


@contextlib.contextmanager
def building(final: Path, facts: dict[str, object]) -> Iterator[Path]:
    """A folder to build in, which replaces ``final`` when the block ends without an exception.

    ``facts`` may change until then. The caller holds `exclusive`. HostError if the disk is full.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=final.parent))
    try:
        yield work
        seal(work, facts)
        if final.exists():
            old = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=final.parent))
            final.rename(old / final.name)
            work.rename(final)
            shutil.rmtree(old)
        else:
            work.rename(final)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise HostError(
                f"no space left on the disk of {final.parent}", next_step="free some space and run it again"
            ) from error
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def scratch_dir(folder: Path) -> Iterator[Path]:
    """A temporary folder in ``folder``, removed at the end."""
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=folder) as made:
        yield Path(made)


def require_space(folder: Path, need_bytes: int, purpose: str) -> None:
    """HostError unless ``need_bytes`` are free on the disk of ``folder``."""
    free = shutil.disk_usage(folder).free
    if free < need_bytes:
        raise HostError(
            f"{purpose} needs {need_bytes / 1e6:.0f} MB in {folder}; {free / 1e6:.0f} MB are free",
            next_step="free the difference, or point RECLAIM_SUITE_CACHE to a larger disk",
        )


@contextlib.contextmanager
def locked(path: Path, progress: Progress, waiting: str, deadline_s: float) -> Iterator[None]:
    """Hold the lock file ``path``; reports ``waiting`` once if another process holds it.

    HostError if it still does after ``deadline_s``.
    """
    try:
        lock = lock_file(path, deadline_s=deadline_s, on_wait=lambda: progress(waiting))
    except BlockingIOError:
        raise HostError(
            f"another process has held {path} for {deadline_s:.0f} s",
            next_step="end it, then run this again",
        ) from None
    with lock:
        yield


@contextlib.contextmanager
def exclusive(folder: Path, progress: Progress, deadline_s: float = _LOCK_DEADLINE_S) -> Iterator[None]:
    """Hold the lock of ``folder``: one process at a time downloads and builds.

    Removes leftovers of a dead process. HostError if another process still holds the lock after
    ``deadline_s``.
    """
    waiting = f"waiting for another process that prepares {folder.name}"
    with locked(folder / ".lock", progress, waiting, deadline_s):
        remove_unfinished(folder)
        yield


def remove_unfinished(folder: Path) -> None:
    """Remove unfinished `building` folders of a dead process; the caller holds the lock."""
    for left in folder.rglob(f"{_TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True)


def write_pointer(path: Path, value: str) -> None:
    """Set the small file ``path``, atomically."""
    write_atomic(path, value + "\n")


def read_pointer(path: Path) -> str | None:
    """The content of a small file set by `write_pointer`, or None."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
