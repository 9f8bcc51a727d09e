"""Recording with the Perfetto service of a phone.

By version of Android (perfetto's docs/concepts/config.md and its sources): the config always comes
on stdin, since before Android 12 the service may not read a file of the shell's; before
Android 13 the service cannot be waited for, and tracefs tells that it records; before
Android 11 the service may have to be switched on.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from foundation.contract.device import Device
from foundation.errors import CommandTimeout, DeviceError, StateError, SuiteError
from foundation.progress import Progress, silent
from foundation.quoting import quote
from harness.capture.perfetto.perfetto_config import (
    KEEP_FREE_BYTES,
    Limits,
    check_config,
    limits_for,
    trace_config,
)
from harness.capture.perfetto.perfetto_service import OLD_PERFETTO, PerfettoService, read_service
from harness.capture.perfetto.trace_pull import pull_checked

__all__ = ["OLD_PERFETTO", "REMOTE_FOLDER", "TRACE_FILE", "PerfettoSession", "perfetto_version"]

#: The only folder that the service of a user build may write to (Android 10 and newer).
REMOTE_FOLDER: Final = "/data/misc/perfetto-traces"
TRACE_FILE: Final = "perfetto.trace"

START_DEADLINE_S: Final = 45.0
STOP_DEADLINE_S: Final = 60.0
#: Until a service that cannot be waited for records, and until one that was off runs.
RECORDS_DEADLINE_S: Final = 20.0
_POLL_S: Final = 0.2
_NAME: Final = "reclaim-suite"
#: A recording needs this much, or there is no sense in beginning it.
_LEAST_BYTES: Final = 256 * 1024 * 1024
#: How long an unwanted recording may take to end by itself, seconds.
_END_S: Final = 5.0
_ENABLED: Final = "persist.traced.enable"


def perfetto_version(device: Device) -> str | None:
    """What the device's Perfetto says of itself, or None where there is none."""
    service = read_service(device)
    return None if service is None else service.text


class PerfettoSession:
    """One recording by the service; needs no root for the events a user build allows.

    Side effects until `close`: a background ``perfetto`` and its file in `REMOTE_FOLDER`; on
    Android 10 perhaps a service that was off. ``longest_s`` is when a recording ends that
    nobody stops. ``tracefs`` is where its files are, None where they cannot be seen.
    """

    def __init__(
        self,
        device: Device,
        events: Sequence[str],
        period_ms: int,
        *,
        service: PerfettoService,
        mem_total_kb: int,
        cpus: int,
        longest_s: float,
        tracefs: str | None,
        power_rails: bool = False,
        progress: Progress = silent,
    ) -> None:
        self._device = device
        self._events = tuple(events)
        self._period_ms = period_ms
        self._service = service
        self._memory = mem_total_kb, cpus
        self._longest_s = longest_s
        self._tracefs = tracefs
        self._power_rails = power_rails
        self._progress = progress
        self._remote = f"{REMOTE_FOLDER}/{_NAME}-{secrets.token_hex(4)}.perfetto-trace"
        self._pid: int | None = None
        self._started = False
        self._enabled_before: str | None = None
        self.cpus: tuple[int, ...] = ()
        self.troubles: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the service's recording and wait until it records, where that can be told.

        DeviceError if it does not start, or the device has no room for its file.
        """
        config = trace_config(
            self._events,
            service=self._service,
            period_ms=self._period_ms,
            limits=self._limits(),
            power_rails=self._power_rails,
        )
        check_config(config)
        how = "--background-wait" if self._service.waits else "--background"
        argv = ["perfetto", "-c", "-", "--txt", "-o", self._remote, how]
        self._started = True
        try:
            self._switch_on()
            result = self._device.shell(
                argv, stdin=config.encode(), deadline_s=START_DEADLINE_S, check=False
            )
            pid = re.search(r"^(\d+)\s*$", result.stdout, re.MULTILINE)
            if result.exit_status != 0 or pid is None:
                said = (result.stderr or result.stdout).strip()[-300:]
                raise DeviceError(
                    f"perfetto did not start (exit status {result.exit_status}): {said}",
                    device=self._device.serial,
                    next_step=f"Android 10: setprop {_ENABLED} 1; else see logcat -s perfetto",
                )
            self._pid = int(pid[1])
            if not self._records():
                raise DeviceError(
                    "perfetto ended as soon as it was started",
                    device=self._device.serial,
                    next_step="see logcat -s perfetto traced; another session may hold the buffers",
                )
            self.troubles = self._not_enabled()
        except BaseException:
            self.close(quiet=True)
            raise

    def _limits(self) -> Limits:
        """StateError naming the space that is left, where it is too little."""
        free = self._free_bytes()
        limits = limits_for(*self._memory, self._longest_s, free)
        if limits.max_file_bytes < _LEAST_BYTES:
            raise StateError(
                f"{(free or 0) >> 20} MiB are free on /data, a recording needs "
                f"{(KEEP_FREE_BYTES + _LEAST_BYTES) >> 20} MiB",
                device=self._device.serial,
                next_step=f"free space; see {REMOTE_FOLDER} for traces that others left",
            )
        return limits

    def _free_bytes(self) -> int | None:
        answer = self._device.shell(["df", "-k", "/data"], check=False)
        words = answer.stdout.strip().splitlines()[-1].split() if answer.stdout.strip() else []
        known = answer.exit_status == 0 and len(words) >= 4 and words[3].isdigit()
        return int(words[3]) * 1024 if known else None

    def _switch_on(self) -> None:
        """Before Android 11 the service is off on most phones. Source: perfetto.rc."""
        if self._service.android(30) or self._property("init.svc.traced") == "running":
            return
        before = self._property(_ENABLED)
        if before == "1":
            return
        self._enabled_before = before or "0"
        self._device.shell(["setprop", _ENABLED, "1"])
        self._wait(lambda: self._property("init.svc.traced") == "running")

    def _property(self, name: str) -> str:
        return self._device.shell(["getprop", name]).stdout.strip()

    def _records(self) -> bool:
        """Whether it runs, and records: older ones fork before their data sources have begun."""
        if not self._service.waits and self._tracefs is not None:
            path = f"{self._tracefs}/tracing_on"
            if self._device.shell(["test", "-r", path], check=False).exit_status == 0:
                self._wait(lambda: not self._runs() or self._device.read_text(path).strip() == "1")
        return self._runs()

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + RECORDS_DEADLINE_S
        while not condition():
            if time.monotonic() > deadline:
                raise CommandTimeout(
                    f"perfetto did not begin to record within {RECORDS_DEADLINE_S:.0f} s",
                    device=self._device.serial,
                    next_step="see logcat -s perfetto traced traced_probes",
                )
            time.sleep(_POLL_S)

    def _not_enabled(self) -> tuple[str, ...]:
        """Events that were asked for and are off while it records, one line each.

        Older services say nothing of an event that they could not switch on; tracefs does.
        """
        if self._tracefs is None:
            return ()
        lines = [
            f"echo {quote(event)} $(cat {quote(f'{self._tracefs}/events/{event}/enable')} 2>/dev/null)"
            for event in self._events
        ]
        answers = (line.split() for line in self._device.script("\n".join(lines)).stdout.splitlines())
        # 0 and 0* are off (kernel: event_enable_read of kernel/trace/trace_events.c).
        off = [words[0] for words in answers if len(words) == 2 and words[1].startswith("0")]
        return tuple(f"the ftrace event {event} could not be switched on" for event in off)

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
        if self._device.is_root:
            # perfetto makes the file with mode 0600, and pulling acts as the shell user, also beside `su`.
            self._device.shell(["chmod", "644", self._remote])
        pull_checked(self._device, self._remote, folder / TRACE_FILE, self._progress)

    def _end(self, pid: str) -> None:
        """By SIGTERM: a shell without root may not send perfetto SIGKILL (system/sepolicy: shell.te)."""
        self._device.shell(["kill", "-TERM", pid], check=False)
        deadline = time.monotonic() + _END_S
        while self._runs() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if self._runs():
            self._device.shell(["kill", "-KILL", pid], check=False)

    def close(self, *, quiet: bool = False) -> None:
        """End what runs and remove the file; may be called twice. StateError unless ``quiet``."""
        if not self._started:
            return
        try:
            if self._pid is not None and self._runs():
                self._end(str(self._pid))
            elif self._pid is None:
                self._kill_by_name()
            self._pid = None
            if self._enabled_before is not None:
                self._device.shell(["setprop", _ENABLED, self._enabled_before])
                self._enabled_before = None
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
