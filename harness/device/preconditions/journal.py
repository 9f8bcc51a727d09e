"""The undo journal of a phone: each change is on the host's disk before it is made.

A folder for each serial in the suite's state (``pins/SERIAL/``), a file for each changed setting.
A file is written atomically before the setting is, and removed once the setting reads as before.
Files that remain when no run is active were left by SIGKILL, a lost cable or a power cut, and
hold what is needed to undo it. Earlier versions kept these files in the suite's cache; they are
moved here when the phone is next used.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from foundation.cache import cache_root
from foundation.errors import HostError, UsageError
from foundation.files import move_atomic, write_atomic
from foundation.state import state_dir, state_root
from harness.device.preconditions.protocol import Pin

_FORMAT: Final = 1
_PINS: Final = "pins"
#: Only classes of this package are created from a file. It holds the names of the module, the class
#: and its fields: after a rename here, an older file cannot be undone.
_PACKAGE: Final = "harness.device.preconditions"


@dataclass(frozen=True)
class Note:
    """One changed setting: its pin, the value before, and the boot id of the change.

    ``owner`` is the host process (pid, start time) that changed it.
    """

    path: Path
    pin: Pin
    before: str
    boot_id: str
    owner: tuple[int, str]

    @property
    def is_ours(self) -> bool:
        """Whether this process wrote it."""
        return self.owner == process_of(os.getpid())

    @property
    def is_held(self) -> bool:
        """Whether the process that wrote it still runs."""
        return process_of(self.owner[0]) == self.owner

    def done(self) -> None:
        """Remove the file: the setting is restored. May be called twice."""
        self.path.unlink(missing_ok=True)


class Journal:
    """The notes of one device. HostError if they cannot be written."""

    def __init__(self, serial: str) -> None:
        self._serial = serial
        self._name = quote(serial, safe="")

    def add(self, pin: Pin, before: str, boot_id: str) -> Note:
        """Record that ``pin`` is about to be written; on disk when this returns. HostError, TypeError."""
        module = type(pin).__module__
        if not module.startswith(f"{_PACKAGE}."):
            raise TypeError(f"{module}.{type(pin).__name__} cannot be created from a file")
        owner = process_of(os.getpid())
        content = {
            "format": _FORMAT,
            "serial": self._serial,
            "boot_id": boot_id,
            "owner": list(owner),
            "module": module.removeprefix(f"{_PACKAGE}."),
            "pin": type(pin).__name__,
            "fields": dataclasses.asdict(cast(Any, pin)),
            "before": before,
        }
        try:
            path = self._write(json.dumps(content))
        except OSError as error:
            raise HostError(
                f"the change on {self._serial} cannot be recorded: {error.strerror}",
                next_step="free disk space, or set RECLAIM_SUITE_STATE to a writable folder",
            ) from error
        return Note(path, pin, before, boot_id, owner)

    def notes(self) -> list[Note]:
        """All notes, oldest first. UsageError for a file that is not a note."""
        in_cache = self._from_cache()
        return [*in_cache, *(_load(path) for path in sorted(self._folder.glob("*.json")))]

    @property
    def _folder(self) -> Path:
        return state_root() / _PINS / self._name

    def _from_cache(self) -> list[Note]:
        """Move the notes of an earlier version here; returns those that must stay in the cache for now."""
        staying = []
        for path in sorted((cache_root() / _PINS / self._name).glob("*.json")):
            note = _load(path)
            try:
                if note.is_held:
                    # Its process removes it there once the setting is restored.
                    staying.append(note)
                else:
                    # Older than every note here, so it sorts before them.
                    move_atomic(path, state_dir(_PINS, self._name) / f"000000-{path.name}")
            except OSError:
                staying.append(note)
        return staying

    def _write(self, text: str) -> Path:
        folder = state_dir(_PINS, self._name)
        last = max((int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit()), default=0)
        path = folder / f"{last + 1:06d}.json"
        write_atomic(path, text, durable=True)
        return path


def _load(path: Path) -> Note:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        module = importlib.import_module(f"{_PACKAGE}.{content['module']}")
        pin = getattr(module, content["pin"])(**content["fields"])
        pid, started = content["owner"]
        return Note(path, pin, content["before"], content["boot_id"], (int(pid), str(started)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UsageError(
            f"{path} is not a record of a change: {error}",
            next_step="restore the device by hand or restart it, and remove the file",
        ) from error


def process_of(pid: int) -> tuple[int, str]:
    """A pid and its start time, since a pid alone is reused (proc(5), field 22 of stat)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return pid, ""
    return pid, stat.rpartition(")")[2].split()[19]
