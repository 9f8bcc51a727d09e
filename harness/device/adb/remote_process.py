"""A command that runs on the device while the host does other things."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from foundation.contract.device import CommandResult
from foundation.errors import CommandTimeout, DeviceError, SuiteError
from harness.device.adb.shell_v2 import ShellStream, kill_text, shorten
from harness.device.command_log import noting
from harness.device.deadline import Deadline

#: Runs shell text on the device; its result.
Runner = Callable[[str, float], CommandResult]

# The connection of a running command has no end that is known beforehand.
_ENDLESS_S = 7 * 24 * 3600.0
_TERM_SHARE = 0.6


class AdbProcess:
    """The suite's RemoteProcess over adb.

    A thread reads what the command prints, so that it never blocks on a full pipe.
    """

    def __init__(self, shell: ShellStream, command: str, run: Runner, started_by: Deadline) -> None:
        self._shell = shell
        self._command = shorten(command)
        self._run = run
        self._failure: SuiteError | None = None
        while shell.pid is None:
            if shell.read_packet() == "exit":
                raise DeviceError(
                    f"'{self._command}' ended before it said its pid: {shell.text('stderr').strip()[:200]}",
                    device=shell.serial,
                )
        self.pid = shell.pid
        shell.stream.extend(Deadline(_ENDLESS_S))
        self._reader = threading.Thread(target=self._read, name=f"adb-{self.pid}", daemon=True)
        self._reader.start()

    def poll(self) -> int | None:
        """Exit status, or None while it runs. DeviceLost if the connection went away."""
        if self._reader.is_alive():
            return None
        if self._failure is not None:
            raise self._failure
        return self._shell.exit_status

    def output(self) -> str:
        """What it has printed on its standard output so far; may end within a line."""
        return self._shell.text("stdout")

    def wait(self, *, deadline_s: float) -> int:
        """Wait for its end; the exit status. CommandTimeout leaves it running."""
        self._reader.join(deadline_s)
        status = self.poll()
        if status is None:
            raise CommandTimeout(
                f"'{self._command}' did not end within {deadline_s:g} s", device=self._shell.serial
            )
        return status

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        """End it: SIGTERM, then SIGKILL; wait, and return what it printed.

        The process is really gone afterwards, or this raises: CommandTimeout when even
        SIGKILL does not end it, DeviceLost when the device cannot be reached.
        """
        with noting(self._shell.serial, f"end of {self._command}") as noted:
            result = self._stop(Deadline(deadline_s))
            noted.outcome = f"exit {result.exit_status} after {result.dur_s:.3f} s"
        return result

    def _stop(self, deadline: Deadline) -> CommandResult:
        if self.poll() is None:
            self._signal("TERM", deadline)
            self._reader.join(deadline.left_s * _TERM_SHARE)
        if self._reader.is_alive():
            self._signal("KILL", deadline)
            self._reader.join(deadline.left_s)
        if self._reader.is_alive():
            raise CommandTimeout(
                f"'{self._command}' (pid {self.pid}) does not end, not even by SIGKILL",
                device=self._shell.serial,
                next_step="it hangs in the kernel, or a child holds its output; see /proc/PID/stack",
            )
        status = self.poll()
        self._shell.stream.close()
        return CommandResult(
            exit_status=-1 if status is None else status,
            stdout=self._shell.text("stdout"),
            stderr=self._shell.text("stderr"),
            dur_s=self._shell.dur_s,
        )

    def _signal(self, signal: Literal["TERM", "KILL"], deadline: Deadline) -> None:
        self._run(kill_text(self.pid, signal), max(1.0, deadline.left_s))

    def _read(self) -> None:
        try:
            self._shell.read_to_end()
        except SuiteError as error:
            self._failure = error
        finally:
            self._shell.stream.close()
