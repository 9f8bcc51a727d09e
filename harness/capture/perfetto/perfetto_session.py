"""Recording with the Perfetto service of a device.

Differences between versions of Android (perfetto's docs/concepts/config.md and its sources):
before Android 12 the service may not read the shell's files, so the config always goes to stdin;
before Android 13 there is no --background-wait, and tracefs shows when it records. The service may be
off: on most phones of Android 10, and on others by their maker or by a server-side flag (perfetto.rc,
``sys_traced``). A config that the service refuses is sent again without the fields that it does not know.
"""

from __future__ import annotations

import re
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
    held_limits,
    limits_for,
    snapshot_wait_s,
    trace_config,
)
from harness.capture.perfetto.perfetto_service import (
    PerfettoService,
    fields_refused,
    known_fields,
    probes_connection,
)
from harness.capture.perfetto.trace_pull import pull_checked
from harness.capture.remote import remove_checked

#: The only folder that the service of a user build may write to (Android 10 and newer).
REMOTE_FOLDER: Final = "/data/misc/perfetto-traces"
TRACE_FILE: Final = "perfetto.trace"

START_DEADLINE_S: Final = 45.0
STOP_DEADLINE_S: Final = 60.0
#: For a service without --background-wait to record, and for one that was off to start.
RECORDS_DEADLINE_S: Final = 20.0
_POLL_S: Final = 0.2
#: One name for all recordings, so that one of a killed run is found and ended.
_NAME: Final = "reclaim-suite"
REMOTE_FILE: Final = f"{REMOTE_FOLDER}/{_NAME}.perfetto-trace"
#: The least file size for which a recording is worth starting.
_LEAST_BYTES: Final = 256 * 1024 * 1024
#: Time that a cancelled recording gets after SIGTERM.
_END_S: Final = 5.0
_ENABLED: Final = "persist.traced.enable"
_SERVICES: Final = ("traced", "traced_probes")


class PerfettoSession:
    """One recording by the service; needs no root for the events a user build allows.

    Side effects until `close`: a background ``perfetto`` and its file in `REMOTE_FOLDER`, perhaps a
    service that was off. An abandoned recording ends after ``longest_s``.
    ``tracefs`` is its mount point, None if it cannot be read; ``probes``: kprobes are among the
    events. ``limits`` None: by the device; on an emulated one the kernel's buffer holds the whole
    recording. ``sleep`` waits on the device's behalf. ``troubles`` are void reasons met while recording.
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
        probes: bool = False,
        limits: Limits | None = None,
        progress: Progress = silent,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._device = device
        self._events = tuple(events)
        self._period_ms = period_ms
        self._service = service
        self._memory = mem_total_kb, cpus
        self._longest_s = longest_s
        self._tracefs = tracefs
        self._power_rails = power_rails
        self._probes = probes
        self._fixed_limits = limits
        self._progress = progress
        self._sleep = sleep
        self._remote = REMOTE_FILE
        self._connection: str | None = None
        self._pid: int | None = None
        self._started = False
        self._enabled_before: str | None = None
        self._refused: frozenset[str] = frozenset()
        self.troubles: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the recording, and wait until it records if the device shows that.

        DeviceError if it does not start, StateError without space for its file.
        """
        limits = self._limits()
        self._started = True
        try:
            self._enable_service()
            self._pid = self._launch(limits)
            if not self._records():
                raise DeviceError(
                    "perfetto exited right after its start",
                    device=self._device.serial,
                    next_step="see logcat -s perfetto traced; another session may hold the buffers",
                )
            self._connection = probes_connection(self._device)
            self._check_buffer(limits)
            self.troubles = self._events_off()
        except BaseException:
            self.close(quiet=True)
            raise

    @property
    def _fields(self) -> frozenset[str]:
        """Those that the service may refuse and that it is sent."""
        return known_fields(self._service) - self._refused

    def _launch(self, limits: Limits) -> int:
        """Start perfetto, at last without the fields that it refuses; its pid. DeviceError."""
        how = "--background-wait" if self._service.waits else "--background"
        argv = ["perfetto", "-c", "-", "--txt", "-o", self._remote, how]
        while True:
            config = trace_config(
                self._events,
                service=self._service,
                period_ms=self._period_ms,
                limits=limits,
                power_rails=self._power_rails,
                without=self._refused,
            )
            check_config(config)
            result = self._device.shell(
                argv, stdin=config.encode(), deadline_s=START_DEADLINE_S, check=False
            )
            pid = re.search(r"^(\d+)\s*$", result.stdout, re.MULTILINE)
            if result.exit_status == 0 and pid is not None:
                return int(pid[1])
            output = f"{result.stderr}\n{result.stdout}".strip()
            refused = fields_refused(output, self._fields)
            if not refused:
                raise DeviceError(
                    f"perfetto did not start (exit status {result.exit_status}): {output[-300:]}",
                    device=self._device.serial,
                    next_step=f"see logcat -s perfetto traced; its service needs {_ENABLED} 1",
                )
            self._refused |= refused
            self._progress(f"perfetto refuses {', '.join(sorted(refused))} in a config: recording without")

    def _limits(self) -> Limits:
        """StateError naming the free space if it is too small."""
        if self._fixed_limits is not None:
            return self._fixed_limits
        if self._device.emulated:
            return held_limits(*self._memory, self._longest_s, probes=self._probes)
        free = self._free_bytes()
        limits = limits_for(*self._memory, self._longest_s, free, probes=self._probes)
        if limits.max_file_bytes < _LEAST_BYTES:
            raise StateError(
                f"/data has {(free or 0) >> 20} MiB free, a recording needs "
                f"{(KEEP_FREE_BYTES + _LEAST_BYTES) >> 20} MiB",
                device=self._device.serial,
                next_step=f"free space; see {REMOTE_FOLDER} for old traces",
            )
        return limits

    def _free_bytes(self) -> int | None:
        result = self._device.shell(["df", "-k", "/data"], check=False)
        words = result.stdout.strip().rpartition("\n")[2].split()
        is_valid = result.exit_status == 0 and len(words) >= 4 and words[3].isdigit()
        return int(words[3]) * 1024 if is_valid else None

    def _enable_service(self) -> None:
        """Switch the service on if it is off; `close` switches it off again.

        Sources: perfetto.rc (0 and 2 stop traced), shell.te (the shell may set the property).
        DeviceError if it stays off.
        """
        states = {name: self._property(f"init.svc.{name}") for name in _SERVICES}
        before = self._property(_ENABLED)
        off = [name for name, state in states.items() if state == "stopped"]
        if states["traced"] == "running" and not off:
            return
        # A service that has never run has no state; before Android 11 that is how most phones are.
        never_on = not self._service.android(30)
        if before == "1" or not (off or never_on or before in ("0", "2")):
            if off:
                raise DeviceError(
                    f"{' and '.join(off)} stopped although {_ENABLED} is 1",
                    device=self._device.serial,
                    next_step="end other users of atrace (setprop debug.atrace.user_initiated ''), or"
                    " restart the phone",
                )
            return
        self._progress(f"tracing is off on the phone: switching it on for the recording ({_ENABLED})")
        self._enabled_before = before or "0"
        self._device.shell(["setprop", _ENABLED, "1"], check=False)
        if self._property(_ENABLED) != "1":
            self._enabled_before = None
            raise DeviceError(
                f"tracing is off on the phone ({_ENABLED} is {before or 'not set'}), and the shell may not"
                " switch it on",
                device=self._device.serial,
                next_step="switch it on: Developer options, System Tracing; or measure with root",
            )
        self._wait_to_record(lambda: self._property("init.svc.traced") == "running")

    def _property(self, name: str) -> str:
        return self._device.shell(["getprop", name]).stdout.strip()

    def _records(self) -> bool:
        """Whether it runs and records: older versions fork before their data sources have started."""
        if not self._service.waits and self._tracefs is not None:
            path = f"{self._tracefs}/tracing_on"
            if self._device.shell(["test", "-r", path], check=False).exit_status == 0:
                self._wait_to_record(
                    lambda: not self._runs() or self._device.read_text(path).strip() == "1"
                )
        return self._runs()

    def _becomes_true(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        """Ask until ``condition`` holds; False if it does not after waiting for ``deadline_s``."""
        for _ in range(max(1, round(deadline_s / _POLL_S))):
            if condition():
                return True
            self._sleep(_POLL_S)
        return condition()

    def _wait_to_record(self, condition: Callable[[], bool]) -> None:
        if not self._becomes_true(condition, RECORDS_DEADLINE_S):
            raise CommandTimeout(
                f"perfetto did not start recording within {RECORDS_DEADLINE_S:.0f} s",
                device=self._device.serial,
                next_step="see logcat -s perfetto traced traced_probes",
            )

    def _check_buffer(self, limits: Limits) -> None:
        """StateError if the kernel has refused the buffer: the service goes on with the old one."""
        if self._tracefs is None or not limits.held:
            return
        size_kb = int(self._device.read_text(f"{self._tracefs}/buffer_size_kb").split()[0])
        if size_kb < limits.cpu_buffer_kb:
            raise StateError(
                f"the kernel gives {size_kb} of {limits.cpu_buffer_kb} KiB per CPU to the recording",
                device=self._device.serial,
                next_step="give the device more memory, or the workload less",
            )

    def _events_off(self) -> tuple[str, ...]:
        """A line for each needed event that is off during the recording.

        Older services do not report an event that they could not enable; tracefs shows it.
        """
        if self._tracefs is None:
            return ()
        lines = [
            f"echo {quote(event)} $(cat {quote(f'{self._tracefs}/events/{event}/enable')} 2>/dev/null)"
            for event in self._events
        ]
        answers = (line.split() for line in self._device.script("\n".join(lines)).stdout.splitlines())
        # 0 and 0* are off (event_enable_read() in kernel/trace/trace_events.c).
        off = [words[0] for words in answers if len(words) == 2 and words[1].startswith("0")]
        return tuple(f"the ftrace event {event} could not be enabled" for event in off)

    def stop(self) -> None:
        """End it and wait until its file is complete. DeviceError if it had already ended.

        Records on for `snapshot_wait_s` first, so that the service's statistics cover the window.
        """
        self._sleep(snapshot_wait_s(self._fields))
        if not self._runs():
            raise DeviceError(
                "perfetto ended before the repetition",
                device=self._device.serial,
                next_step="see logcat -s perfetto traced; the disk may be full",
            )
        if self._connection is not None and probes_connection(self._device) != self._connection:
            self.troubles += ("traced_probes ended during the recording: its data is incomplete",)
        self._device.shell(["kill", "-TERM", str(self._pid)])
        if not self._becomes_true(lambda: not self._runs(), STOP_DEADLINE_S):
            raise CommandTimeout(
                f"perfetto did not finish its file within {STOP_DEADLINE_S:.0f} s",
                device=self._device.serial,
                next_step="see logcat -s traced",
            )
        self._pid = None

    def collect(self, folder: Path) -> None:
        """Pull the trace into ``folder`` and check its hash. DeviceError if it differs."""
        if self._device.is_root:
            # perfetto creates the file with mode 0600, and a pull is by the shell user, also with `su`.
            self._device.shell(["chmod", "644", self._remote])
        pull_checked(self._device, self._remote, folder / TRACE_FILE, self._progress)

    def _end(self, pid: str) -> None:
        """By SIGTERM: a shell without root may not send perfetto SIGKILL (system/sepolicy: shell.te)."""
        self._device.shell(["kill", "-TERM", pid], check=False)
        if not self._becomes_true(lambda: not self._runs(), _END_S):
            self._device.shell(["kill", "-KILL", pid], check=False)

    def close(self, *, quiet: bool = False) -> None:
        """End perfetto and remove its file; may be called twice. StateError unless ``quiet``."""
        if not self._started:
            return
        try:
            if self._pid is not None and self._runs():
                self._end(str(self._pid))
            elif self._pid is None:
                end_leftover(self._device)
            self._pid = None
            if self._enabled_before is not None:
                self._device.shell(["setprop", _ENABLED, self._enabled_before])
                now = self._property(_ENABLED)
                if now != self._enabled_before:
                    raise StateError(
                        f"{_ENABLED} is {now} and could not be set back to {self._enabled_before}",
                        device=self._device.serial,
                        next_step=f"set it by hand: setprop {_ENABLED} {self._enabled_before}",
                    )
                self._enabled_before = None
            remove_checked(self._device, "-f", self._remote)
            self._started = False
        except SuiteError:
            if not quiet:
                raise

    def _runs(self) -> bool:
        # Compare comm: another process may have got the pid.
        result = self._device.shell(["cat", f"/proc/{self._pid}/comm"], check=False)
        return result.exit_status == 0 and result.stdout.strip() == "perfetto"


def end_leftover(device: Device) -> None:
    """End a recording of the suite whose pid is unknown, such as that of a killed run."""
    # The brackets keep the expression from matching the shell that runs it.
    expression = f"[{_NAME[0]}]{_NAME[1:]}.perfetto-trace"
    pids = device.shell(["pgrep", "-f", expression], check=False).stdout
    for pid in pids.split():
        device.shell(["kill", "-KILL", pid], check=False)
