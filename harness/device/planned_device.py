"""A device that answers from a `PlannedPhone` and records what it is sent: a dry run of the real code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.contract.device import CommandResult, Expectation
from foundation.quoting import quote, quote_argv
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.adb.remote_process import AdbProcess
from harness.device.adb.shell_v2 import kill_text
from harness.device.fastboot.choice import Kernel
from harness.device.lane_phone import PhoneLane
from harness.device.modules.fit import OwnModules, PairFiles
from harness.device.modules.loaded import ModuleId
from harness.device.planned_phone import PID, YOUR_SRCVERSION, PlannedPhone, Program, lines_of, shown
from harness.device.preconditions.pins import FilePin
from harness.device.preconditions.zram_modules import ZramModulesPin, push_pair

#: Longer input is shown by its size, bytes.
_STDIN_SHOWN: Final = 80


@dataclass(frozen=True)
class Sent:
    """One line that was sent to the phone; ``reads_only``: it changes nothing."""

    line: str
    reads_only: bool


class PlannedDevice(AdbDevice):
    """An `AdbDevice` without adb; everything above the wire is the real code.

    ``record`` takes each line as it is sent. ``processes`` maps a program that is left running to what
    it prints in all, or writes into the file after ``--out``.
    """

    def __init__(
        self,
        serial: str,
        phone: PlannedPhone,
        record: Callable[[Sent], None],
        processes: dict[str, Program],
    ) -> None:
        super().__init__(_NoServer(), serial)
        self.keeps_settings = False
        self.phone = phone
        self._record = record
        self._processes = processes

    def sent(self, text: str, stdin: bytes | None = None) -> None:
        """Record a shell text line by line."""
        if stdin is not None and text.startswith("cat > "):
            text = f"echo {quote(stdin.decode())} > {text.removeprefix('cat > ')}"
        elif stdin is not None:
            text += f"    # {len(stdin)} bytes on stdin" if len(stdin) > _STDIN_SHOWN else f" <<< {stdin!r}"
        for line in lines_of(text):
            self._record(Sent(shown(line), self.phone.reads_only(line)))

    def sleep(self, dur_s: float) -> None:
        """Do not wait."""

    def spawn(self, argv: Sequence[str], *, deadline_s: float = 30.0) -> AdbProcess:
        """A process that runs until it is stopped."""
        self.sent(f"{quote_argv(argv)} &")
        program = self._processes.get(argv[0].rpartition("/")[2])
        printed = program(argv) if program else ""
        if printed and "--out" in argv:
            self.phone.holds(argv[argv.index("--out") + 1], printed)
            printed = ""
        return _PlannedProcess(self, printed)

    def push(self, local: Path, remote: str, **options: object) -> None:
        """Record it. Only the name of ``local`` is used; the file need not exist."""
        self.phone.made(remote)
        self._record(Sent(shown(f"adb push {local.name} {quote(remote)}"), reads_only=False))

    def push_bytes(self, content: bytes, remote: str, **options: object) -> None:
        """As `push`, from memory."""
        self.phone.holds(remote, content.decode("utf-8", "replace"))
        self._record(Sent(shown(f"adb push /dev/stdin {quote(remote)}    # {len(content)} bytes"), False))

    def pull(self, remote: str, local: Path, **options: object) -> None:
        """Record it, and write an empty file."""
        self._record(Sent(shown(f"adb pull {quote(remote)}"), reads_only=False))
        local.write_bytes(b"")

    def reboot(self, to: str = "", *, deadline_s: float = 30.0) -> None:
        """Record it, and reset the phone; it answers at once."""
        self._record(Sent(f"adb reboot {to}".rstrip(), reads_only=False))
        self.phone.restart()

    def _send(self, text: str, deadline_s: float, stdin: bytes | None) -> CommandResult:
        self.sent(text, stdin)
        return CommandResult(*self.phone.run(text, stdin), "", 0.0)


class PlannedLane(PhoneLane):
    """The lane of a phone around a `PlannedDevice`. `fastboot.dry_run` shows kernels."""

    def __init__(self, name: str, device: PlannedDevice, *, reboot_between: bool) -> None:
        super().__init__(name, device, _NoServer(), reboot_between=reboot_between)

    def expectation(
        self,
        kernel: Kernel | None = None,
        switches: Sequence[FilePin] = (),
        thread: str | None = None,
    ) -> Expectation:
        """As a `PhoneLane`, but no thread: the planned phone compresses nothing."""
        return super().expectation(kernel, switches)

    def _modules_pin(self, modules: PairFiles | OwnModules) -> ZramModulesPin:
        """A pin for a phone whose own modules are not known."""
        own, new = (
            " ".join(str(ModuleId(name, source, None)) for name in ("zsmalloc", "zram"))
            for source in ("ITS_SRCVERSION", YOUR_SRCVERSION)
        )
        files = ("ITS_FOLDER/zsmalloc.ko", "ITS_FOLDER/zram.ko")
        if isinstance(modules, OwnModules):
            return ZramModulesPin(own, files, own, files)
        return ZramModulesPin(own, files, new, push_pair(self._device, modules), "", modules.parameters)

    def _check(self, kernel: Kernel | None) -> None:
        pass


class _PlannedProcess(AdbProcess):
    def __init__(self, device: PlannedDevice, printed: str) -> None:
        self._device = device
        self._printed = printed

    def poll(self) -> int | None:
        return None

    def output(self) -> str:
        return ""

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        self._device.sent(kill_text(PID, "TERM"))
        return CommandResult(0, self._printed, "", 0.0)


class _NoServer(AdbServer):
    """Reports every device as present."""

    def __init__(self) -> None:
        super().__init__(0, None, None)

    def wait_for_device(self, serial: str, *, deadline_s: float) -> bool:
        return True
