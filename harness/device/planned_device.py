"""A device that answers from `PlannedPhone` and keeps what it is sent: for a dry run of the real code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.contract.device import CommandResult
from foundation.quoting import quote, quote_argv
from harness.device.adb.adb_device import TRANSFER_DEADLINE_S, AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.adb.remote_process import AdbProcess
from harness.device.adb.shell_v2 import kill_text
from harness.device.fastboot.choice import Kernel
from harness.device.lane_phone import PhoneLane
from harness.device.planned_phone import PID, PlannedPhone, Program, lines_of, shown

#: What is longer than this, or no line of text, is said by its size.
_STDIN_SHOWN: Final = 80


@dataclass(frozen=True)
class Sent:
    """One line that was sent to the phone; ``reads_only``: it changes nothing there."""

    line: str
    reads_only: bool


class PlannedDevice(AdbDevice):
    """An `AdbDevice` without adb: all above the wire is the real one's code.

    ``record`` takes each line as it is sent. ``processes`` are what programs print that are left running,
    by name: so far, and in all.
    """

    def __init__(
        self,
        serial: str,
        phone: PlannedPhone,
        record: Callable[[Sent], None],
        processes: dict[str, tuple[Program, Program]],
    ) -> None:
        super().__init__(_NoServer(), serial)
        self.keeps_settings = False
        self.phone = phone
        self._record = record
        self._processes = processes

    def sent(self, text: str, stdin: bytes | None = None) -> None:
        """Record a shell text, line by line."""
        if stdin is not None and text.startswith("cat > "):
            text = f"echo {quote(stdin.decode())} > {text.removeprefix('cat > ')}"
        elif stdin is not None:
            text += f"    # {len(stdin)} bytes on stdin" if len(stdin) > _STDIN_SHOWN else f" <<< {stdin!r}"
        for line in lines_of(text):
            self._record(Sent(shown(line), self.phone.reads_only(line)))

    def spawn(self, argv: Sequence[str], *, deadline_s: float = 30.0) -> AdbProcess:
        """A process that runs until it is stopped."""
        self.sent(f"{quote_argv(argv)} &")
        silent: Program = lambda words: ""  # noqa: E731
        now, in_all = self._processes.get(argv[0].rpartition("/")[2], (silent, silent))
        return _PlannedProcess(self, now(argv), in_all(argv))

    def push(
        self,
        local: Path,
        remote: str,
        *,
        mode: int = 0o644,
        deadline_s: float = TRANSFER_DEADLINE_S,
        sha256: bool = False,
    ) -> None:
        """Only the name of ``local`` is used; there need be no such file."""
        self.phone.made(remote)
        self._record(Sent(shown(f"adb push {local.name} {quote(remote)}"), reads_only=False))

    def push_bytes(
        self, content: bytes, remote: str, *, mode: int = 0o644, deadline_s: float = TRANSFER_DEADLINE_S
    ) -> None:
        """As `push`, from memory."""
        self.phone.made(remote)
        self._record(Sent(shown(f"adb push /dev/stdin {quote(remote)}    # {len(content)} bytes"), False))

    def pull(
        self,
        remote: str,
        local: Path,
        *,
        progress: Callable[[int], None] | None = None,
        deadline_s: float = TRANSFER_DEADLINE_S,
        sha256: bool = False,
    ) -> None:
        """An empty file comes over."""
        self._record(Sent(shown(f"adb pull {quote(remote)}"), reads_only=False))
        local.write_bytes(b"")

    def reboot(self, to: str = "", *, deadline_s: float = 30.0) -> None:
        """All that only its kernel held is as before; it answers at once."""
        self._record(Sent(f"adb reboot {to}".rstrip(), reads_only=False))
        self.phone.restart()

    def _send(self, text: str, deadline_s: float, stdin: bytes | None) -> CommandResult:
        self.sent(text, stdin)
        status, said = self.phone.run(text, stdin)
        return CommandResult(status, said, "", 0.0)


class PlannedLane(PhoneLane):
    """The lane of a phone around a `PlannedDevice`. Kernels are shown by `fastboot.dry_run`."""

    def __init__(self, name: str, device: PlannedDevice, *, reboot_between: bool) -> None:
        super().__init__(name, device, _NoServer(), reboot_between=reboot_between)

    def _check(self, kernel: Kernel | None) -> None:
        pass


class _PlannedProcess(AdbProcess):
    """Runs until it is stopped."""

    def __init__(self, device: PlannedDevice, now: str, in_all: str) -> None:
        self._device = device
        self._now, self._in_all = now, in_all

    def poll(self) -> int | None:
        return None

    def output(self) -> str:
        return self._now

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        self._device.sent(kill_text(PID, "TERM"))
        return CommandResult(0, self._in_all, "", 0.0)


class _NoServer(AdbServer):
    """Answers for a device that is there, and is never asked for another."""

    def __init__(self) -> None:
        super().__init__(0, None, None)

    def wait_for_device(self, serial: str, *, deadline_s: float) -> bool:
        return True
