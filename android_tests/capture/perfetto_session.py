"""Recording with the Perfetto service of a phone."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from android_tests.capture.perfetto_config import check_config, trace_config
from android_tests.device.protocol import Device
from foundation.errors import CommandTimeout, DeviceError, StateError, SuiteError

#: The only folder that the service of a user build may write to (Android 10 and newer).
REMOTE_FOLDER: Final = "/data/misc/perfetto-traces"
TRACE_FILE: Final = "perfetto.trace"
#: Said of one that does not tell its version.
OLD_PERFETTO: Final = "Perfetto of Android 11 or older"

START_DEADLINE_S: Final = 45.0
STOP_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.2
_HASH_BLOCK: Final = 1 << 20


def perfetto_version(device: Device) -> str | None:
    """The first line that ``perfetto --version`` prints, or None where there is no Perfetto.

    Before Android 12 it has no such option, and prints how it is used.
    """
    result = device.shell(["perfetto", "--version"], check=False)
    lines = (result.stdout or result.stderr).strip().splitlines()
    if result.exit_status == 0 and lines:
        return lines[0]
    return OLD_PERFETTO if "--background" in result.stdout + result.stderr else None


class PerfettoSession:
    """One recording by the service; needs no root for the events a user build allows.

    Side effects until `close`: a background ``perfetto`` and its file in `REMOTE_FOLDER`.
    """

    def __init__(self, device: Device, events: Sequence[str], period_ms: int) -> None:
        self._device = device
        self._config = trace_config(events, period_ms=period_ms)
        self._remote = f"{REMOTE_FOLDER}/reclaim-suite-{secrets.token_hex(4)}.perfetto-trace"
        self._pid: int | None = None
        self._started = False
        self.cpus: tuple[int, ...] = ()
        self.troubles: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the service's recording and wait until its data sources run, where it can tell."""
        check_config(self._config)
        # Android 12 and newer can wait for the data sources; older ones only fork.
        usage = self._device.shell(["perfetto", "--help"], check=False)
        waits = "--background-wait" in usage.stdout + usage.stderr
        # By stdin: before Android 12 the service may not read a config file of the shell's.
        argv = ["perfetto", "-c", "-", "--txt", "-o", self._remote]
        argv.append("--background-wait" if waits else "--background")
        self._started = True
        try:
            result = self._device.shell(
                argv, stdin=self._config.encode(), deadline_s=START_DEADLINE_S, check=False
            )
            pid = re.search(r"^(\d+)\s*$", result.stdout, re.MULTILINE)
            if result.exit_status != 0 or pid is None:
                said = (result.stderr or result.stdout).strip()[-300:]
                raise DeviceError(
                    f"perfetto did not start (exit status {result.exit_status}): {said}",
                    device=self._device.serial,
                    next_step="Android 9: setprop persist.traced.enable 1; else see logcat -s perfetto",
                )
            self._pid = int(pid[1])
            if not self._runs():
                raise DeviceError(
                    "perfetto ended as soon as it was started",
                    device=self._device.serial,
                    next_step="see logcat -s perfetto traced; another session may hold the buffers",
                )
        except BaseException:
            self.close(quiet=True)
            raise

    def stop(self) -> None:
        """Ask it to finish its file and wait. DeviceError if it had ended before."""
        if not self._runs():
            raise DeviceError(
                "perfetto ended before the repetition did",
                device=self._device.serial,
                next_step="see logcat -s perfetto traced; the disk may be full",
            )
        self._device.shell(["kill", "-TERM", str(self._pid)])
        deadline = time.monotonic() + STOP_DEADLINE_S
        while self._runs():
            if time.monotonic() > deadline:
                raise CommandTimeout(
                    f"perfetto did not finish its file within {STOP_DEADLINE_S:.0f} s",
                    device=self._device.serial,
                    next_step="see logcat -s traced",
                )
            time.sleep(_POLL_S)
        self._pid = None

    def collect(self, folder: Path) -> None:
        """Pull the trace into ``folder`` and compare its hash. DeviceError if it differs."""
        local = folder / TRACE_FILE
        told = self._device.shell(["sha256sum", self._remote], deadline_s=120.0).stdout.split()[0]
        self._device.pull(self._remote, local)
        with local.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
        if got != told:
            raise DeviceError(
                f"the trace was damaged on its way: {local.stat().st_size} bytes with hash {got[:12]}, "
                f"the device has {told[:12]}",
                device=self._device.serial,
                next_step="check the cable and measure the repetition again",
            )

    def close(self, *, quiet: bool = False) -> None:
        """End what runs and remove the file; may be called twice. StateError unless ``quiet``."""
        if not self._started:
            return
        try:
            if self._pid is not None and self._runs():
                self._device.shell(["kill", "-KILL", str(self._pid)], check=False)
            elif self._pid is None:
                self._kill_by_name()
            self._pid = None
            self._device.shell(["rm", "-f", self._remote])
            if self._device.shell(["test", "-e", self._remote], check=False).exit_status == 0:
                raise StateError(
                    f"{self._remote} could not be removed",
                    device=self._device.serial,
                    next_step="remove it by hand",
                )
            self._started = False
        except SuiteError:
            if not quiet:
                raise

    def _kill_by_name(self) -> None:
        """End one that was started but never told its pid: its file's name is its own."""
        name = Path(self._remote).stem
        # The brackets keep the expression from matching the shell that carries it.
        found = self._device.shell(["pgrep", "-f", f"[{name[0]}]{name[1:]}"], check=False)
        for pid in found.stdout.split():
            self._device.shell(["kill", "-KILL", pid], check=False)

    def _runs(self) -> bool:
        # By comm as well: a pid may have been given to another process meanwhile.
        result = self._device.shell(["cat", f"/proc/{self._pid}/comm"], check=False)
        return result.exit_status == 0 and result.stdout.strip() == "perfetto"
