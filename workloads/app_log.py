"""The logs of synthetic apps: pages touched, rewritten and checked, and wrong pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from foundation.contract.device import Device
from foundation.errors import DataCorruption, DeviceError
from foundation.quoting import quote

APP_DIR: Final = "/data/app"
#: After this time `am wait-idle` gives up, seconds.
IDLE_DEADLINE_S: Final = 120.0
_STARTS: Final = ("start", "resume", "recreate")


@dataclass
class _Read:
    """The bytes of a package's log read so far, and the switches started and ended in it."""

    offset: int = 0
    starts: int = 0
    idles: int = 0


@dataclass
class Tally:
    """Sums over the log lines read since the last `AppLogs.take`; pages are the device's."""

    touched: int = 0
    rewritten: int = 0
    mismatches: list[str] = field(default_factory=list)


class AppLogs:
    """Follows the logs of all synthetic apps. Needs root; reads only."""

    def __init__(self, device: Device, packages: Sequence[str]) -> None:
        self._device = device
        self._read = {package: _Read() for package in packages}
        self._tally = Tally()

    def check_idle(self) -> None:
        """Read new lines. DeviceError if a running app has not finished its last switch."""
        running = self.update()
        busy = [p for p, read in self._read.items() if p in running and read.starts > read.idles]
        if busy:
            raise DeviceError(
                f"{', '.join(busy)} still busy after {IDLE_DEADLINE_S:.0f} s",
                device=self._device.serial,
                next_step="give the profile less memory to touch, or look for a hang in the kernel log",
            )

    def update(self) -> set[str]:
        """Read new lines; return the packages that have a process. DeviceError for an invalid line."""
        script = "; ".join(
            f'echo "=== {package} $(pidof {quote(package)})"; '
            f"tail -c +{read.offset + 1} {quote(f'{APP_DIR}/{package}/app.log')} 2>/dev/null"
            for package, read in self._read.items()
        )
        answer = self._device.script(script + "; true", deadline_s=60).stdout
        running = set()
        for part in answer.split("=== ")[1:]:
            head, _, body = part.partition("\n")
            package, *pids = head.split()
            if pids:
                running.add(package)
            lines, newline, _ = body.rpartition("\n")
            if newline:
                self._read[package].offset += len(lines.encode()) + 1
                for line in lines.split("\n"):
                    self._line(package, line)
        return running

    def _line(self, package: str, line: str) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
            kind = event["event"]
            if kind == "mismatch":
                self._tally.mismatches.append(f"{package} page {event['page']}")
                return
            self._tally.touched += int(event["pages_touched"])
            self._tally.rewritten += int(event["pages_rewritten"])
        except (ValueError, KeyError, TypeError) as damage:
            raise DeviceError(
                f"the log of {package} has an invalid line: {line[:80]!r}", device=self._device.serial
            ) from damage
        read = self._read[package]
        if kind in _STARTS:
            # A process that died while busy never logs idle; its successor starts from zero.
            if kind == "start":
                read.starts, read.idles = 0, 0
            read.starts += 1
        elif kind == "idle":
            read.idles += 1

    def take(self) -> Tally:
        """Return the sums and reset them. DataCorruption if a page was wrong."""
        taken, self._tally = self._tally, Tally()
        if taken.mismatches:
            raise DataCorruption(
                f"{len(taken.mismatches)} pages read back differ from what was written, "
                f"first: {taken.mismatches[0]}",
                device=self._device.serial,
                next_step="keep the results folder: kernel.log and the app logs are the evidence",
            )
        return taken
