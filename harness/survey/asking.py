"""Asks a device one command after another; a refusal or a failure becomes part of the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.errors import DeviceLost, SuiteError
from foundation.quoting import quote
from harness.device.adb.adb_device import AdbDevice

#: How long a lost device may take to come back.
BACK_WITHIN_S: Final = 60.0
#: Files read in one round trip.
_FILES_AT_ONCE: Final = 48
_NO_FILE: Final = "Is a directory"
#: ``why`` of a glob that found nothing.
NOT_FOUND: Final = "no such file, or hidden"


@dataclass(frozen=True)
class Entry:
    """One command and what came of it.

    ``path``: the file that it reads, if it reads one. ``exit_status`` None: it did not end or was not
    asked, ``why`` says it. ``duration_ms`` is measured on the host, adb included; None for a file, which is
    read together with others. ``uptime_s`` is the device's own time when it began.
    """

    command: str
    exit_status: int | None
    stdout: str = ""
    stderr: str = ""
    why: str = ""
    path: str | None = None
    duration_ms: float | None = None
    uptime_s: float | None = None

    @property
    def asked(self) -> bool:
        """Whether it is a command that was sent, or a file that is there."""
        return self.why != NOT_FOUND

    @property
    def ok(self) -> bool:
        """Whether its exit status was 0."""
        return self.exit_status == 0


class Asker:
    """One device; no method raises for what the device refuses.

    DeviceLost if the connection breaks and does not come back within `BACK_WITHIN_S`.
    """

    def __init__(self, device: AdbDevice) -> None:
        self.device = device

    def ask(self, command: str, *, deadline_s: float = 30.0) -> Entry:
        """Run shell text."""
        try:
            result = self.device.script(f"cat /proc/uptime; {command}", deadline_s=deadline_s, check=False)
        except SuiteError as error:
            self._reconnect(error)
            return Entry(command, None, why=str(error))
        time_line, _, stdout = result.stdout.partition("\n")
        return Entry(
            command,
            result.exit_status,
            stdout,
            result.stderr,
            duration_ms=round(result.dur_s * 1000, 1),
            uptime_s=_seconds(time_line),
        )

    def files(self, patterns: Sequence[str]) -> list[Entry]:
        """Every readable file that the shell finds by these globs, and the reason for each other one.

        ``patterns`` are shell text. One that matches nothing, or that the shell may not look for, is an
        entry without a path.
        """
        listing = self.ask(f"echo {' '.join(patterns)}", deadline_s=60.0)
        words = listing.stdout.split() if listing.ok else []
        found = [word for word in words if "*" not in word and "[" not in word]
        missing = [Entry(f"cat {word}", None, why=NOT_FOUND) for word in words if word not in found]
        entries: list[Entry] = []
        for first in range(0, len(found), _FILES_AT_ONCE):
            entries += self._read(found[first : first + _FILES_AT_ONCE], listing.uptime_s)
        return [*([] if listing.ok else [listing]), *entries, *missing]

    def _read(self, paths: Sequence[str], uptime_s: float | None) -> list[Entry]:
        questions = {path: f"cat {quote(path)}" for path in paths}
        try:
            answers = ask_all(self.device, questions, deadline_s=60.0)
        except SuiteError as error:
            self._reconnect(error)
            return [Entry(text, None, why=str(error), path=path) for path, text in questions.items()]
        return [
            Entry(
                questions[path],
                answer.exit_status,
                stdout=answer.text if answer.ok else "",
                stderr="" if answer.ok else answer.text,
                path=path,
                uptime_s=uptime_s,
            )
            for path, answer in answers.items()
            if answer.ok or _NO_FILE not in answer.text
        ]

    def _reconnect(self, error: SuiteError) -> None:
        if isinstance(error, DeviceLost) and not self.device.reconnect(deadline_s=BACK_WITHIN_S):
            raise error


def _seconds(text: str) -> float | None:
    """The first number of a line of /proc/uptime, None if it is none."""
    word = text.partition(" ")[0]
    try:
        return float(word)
    except ValueError:
        return None
