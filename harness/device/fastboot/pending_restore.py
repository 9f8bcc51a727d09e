"""The original state of a phone whose kernel the suite changes, on disk: a killed run can be undone."""

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
class OriginalState:
    """The phone before the suite changed it, and what was written since (partition to SHA-256).

    ``known_good`` is what to roll back to, as `known_good_of` reads it; ``owner`` is the host
    process (pid, start time) that uses the phone. The file has these fields as its keys.
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
        """The original kernel."""
        return KernelFingerprint(self.release, self.version, self.build_id)


def record_path(serialno: str) -> Path:
    """The file of one phone, in the suite's state folder."""
    return state_root() / _PHONES / f"{re.sub(r'[^A-Za-z0-9._-]', '_', serialno)}.json"


def _path_in_cache(serialno: str) -> Path:
    """Where earlier versions of the suite kept it."""
    return cache_root() / _PHONES / record_path(serialno).name


def load(serialno: str) -> OriginalState | None:
    """Read what an earlier run left, or None. Moves a file of an earlier version to the state folder.

    HostError for a damaged file, LabError while another process uses the phone.
    """
    path, in_cache = record_path(serialno), _path_in_cache(serialno)
    is_in_cache = not path.exists() and in_cache.exists()
    if is_in_cache:
        path = in_cache
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pid, started = content.pop("owner")
        state = OriginalState(**content, owner=(int(pid), str(started)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HostError(
            f"{path}, the record of phone {serialno}'s original state, cannot be read: {error}",
            next_step="restore the phone by hand, and delete the file",
        ) from error
    if state.owner[0] != os.getpid() and process_of(state.owner[0]) == state.owner:
        raise LabError(
            f"process {state.owner[0]} of this machine boots kernels on phone {serialno}",
            next_step=f"wait for it to end, or end it; then run: {RESTORE}",
        )
    if is_in_cache:
        save(serialno, state)
        in_cache.unlink(missing_ok=True)
    return state


def save(serialno: str, state: OriginalState) -> None:
    """Write the file atomically; it is on disk when this returns. HostError."""
    path = record_path(serialno)
    try:
        state_dir(_PHONES)
        write_atomic(path, json.dumps(asdict(state), indent=1), durable=True)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from error


def clear(serialno: str) -> None:
    """Remove the file: the phone is restored."""
    for path in (_path_in_cache(serialno), record_path(serialno)):
        path.unlink(missing_ok=True)
