"""What the suite owes a phone: kept on disk, so that a killed run is not taken for how it was found."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from foundation.cache import cache_root
from foundation.errors import HostError, LabError
from foundation.files import write_atomic
from foundation.state import state_dir, state_root
from harness.device.fastboot.kernel_payload import KernelFingerprint
from harness.device.preconditions.journal import process_of

_PHONES: Final = "phones"

RESTORE: Final = "python -m android_tests restore --allow-flash"


@dataclass(frozen=True)
class AsFound:
    """The phone before the suite changed it, and what was written since (partition to SHA-256).

    ``known_good`` is what it is rolled back to, as `known_good_of` reads it; ``owner`` the host
    process (pid, start time) that is at it.
    """

    slot: str
    release: str | None
    version: str | None
    build_id: str | None
    known_good: str | None = None
    written: dict[str, str] = field(default_factory=dict)
    owner: tuple[int, str] = (0, "")

    @property
    def kernel(self) -> KernelFingerprint:
        return KernelFingerprint(self.release, self.version, self.build_id)


def record_path(serialno: str) -> Path:
    """One file a phone, in the suite's state."""
    return state_root() / _PHONES / f"{re.sub(r'[^A-Za-z0-9._-]', '_', serialno)}.json"


def _path_in_cache(serialno: str) -> Path:
    """Where earlier versions kept it."""
    return cache_root() / _PHONES / record_path(serialno).name


def load(serialno: str) -> AsFound | None:
    """What an earlier run left, or None.

    HostError for a file that is damaged, LabError while another process is at the phone.
    """
    path, in_cache = record_path(serialno), _path_in_cache(serialno)
    is_in_cache = not path.exists() and in_cache.exists()
    if is_in_cache:
        path = in_cache
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pid, started = content.pop("owner")
        found = AsFound(**content, owner=(int(pid), str(started)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HostError(
            f"{path}, which says how phone {serialno} was found, cannot be read: {error}",
            next_step="put the phone back by hand, and delete the file",
        ) from error
    if found.owner[0] != os.getpid() and process_of(found.owner[0]) == found.owner:
        raise LabError(
            f"process {found.owner[0]} of this machine gives phone {serialno} its kernels",
            next_step=f"let it end, or end it; then run: {RESTORE}",
        )
    if is_in_cache:
        save(serialno, found)
        in_cache.unlink(missing_ok=True)
    return found


def save(serialno: str, found: AsFound) -> None:
    """Whole or not at all, and on the disk before it returns."""
    path = record_path(serialno)
    try:
        state_dir(_PHONES)
        write_atomic(path, json.dumps(asdict(found), indent=1), durable=True)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from error


def clear(serialno: str) -> None:
    """Nothing is owed any more."""
    for path in (_path_in_cache(serialno), record_path(serialno)):
        path.unlink(missing_ok=True)
