"""The ``fastboot`` program: each call has a deadline, and both its exit status and output are checked."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from foundation.errors import CommandFailed, CommandTimeout, DeviceError, DeviceLost, HostError
from foundation.progress import Progress, silent
from harness.device.command_log import log_command
from harness.device.deadline import Deadline
from harness.device.fastboot.sockets import closed_by_device

Place = Literal["android", "bootloader", "fastbootd"]

QUICK_DEADLINE_S: Final = 30.0
#: For sending and writing one image.
WRITE_DEADLINE_S: Final = 900.0
#: How long a device may take to answer.
APPEAR_S: Final = 10.0
#: From the bootloader into fastbootd.
FASTBOOTD_S: Final = 120.0

_TICK_S: Final = 0.2
_HUNG_UP_TICKS: Final = 2
_WAITING: Final = "< waiting for "
#: What the client prints when the link breaks, on USB or network.
_LINK: Final = re.compile(
    r"(status read|command write|data (write|read|transfer)|write to device|read from device)[a-z ]* fail"
    r"|no such device|no link|failed to connect|connection reset|broken pipe|device disconnected",
    re.IGNORECASE,
)
_STEPS: Final = ("Sending", "Writing", "Resizing")
_REMOTE: Final = re.compile(r"FAILED \(remote: '?(.*?)'?\)$", re.MULTILINE)
#: The word for each place in ``adb reboot`` and ``fastboot reboot``; none for Android.
REBOOT_TO: Final[dict[Place, str]] = {"android": "", "bootloader": "bootloader", "fastbootd": "fastboot"}


@dataclass(frozen=True)
class ClientResult:
    """Exit status and output of one call of the program."""

    exit_status: int
    text: str


class Fastboot:
    """One device in its bootloader or in fastbootd; ``serial`` is USB's, or ``tcp:HOST[:PORT]``.

    ``say`` takes each step of a longer call, such as ``Sending sparse 'boot_b' 1/4``.
    """

    def __init__(self, serial: str, *, program: Path | None = None, say: Progress = silent) -> None:
        self.serial = serial
        self._program = program
        self._say = say

    @property
    def program(self) -> Path:
        """Path of the program. HostError if there is none."""
        path = self._program or shutil.which("fastboot")
        if path is None:
            raise HostError(
                "there is no fastboot on this machine",
                next_step="install Debian's package fastboot, or the Android platform tools",
            )
        return Path(path)

    def version(self) -> str:
        """Version of the program, or ``unknown``. HostError."""
        text = self._run(["--version"], QUICK_DEADLINE_S, APPEAR_S).text
        return text.splitlines()[0].removeprefix("fastboot version ") if text else "unknown"

    def present(self, *, deadline_s: float = 5.0, appear_s: float = 0.5) -> bool:
        """Whether a bootloader answers now."""
        try:
            # A bootloader that does not know its product answers, too.
            with contextlib.suppress(CommandFailed):
                self.run(["getvar", "product"], deadline_s=deadline_s, appear_s=appear_s)
        except (DeviceLost, CommandTimeout):
            return False
        return True

    def await_place(self, place: Place, *, deadline_s: float) -> None:
        """Wait until the device is in its bootloader or in fastbootd. DeviceLost, DeviceError."""
        deadline = Deadline(deadline_s)
        while True:
            left_s = max(deadline.left_s, 0.5)
            try:
                self.run(["getvar", "product"], deadline_s=left_s + QUICK_DEADLINE_S, appear_s=left_s)
                userspace = self.getvar("is-userspace") == "yes"
            except DeviceLost:
                if deadline.passed:
                    raise
                continue
            if userspace == (place == "fastbootd"):
                return
            # The place that it leaves may still answer once.
            if deadline.passed:
                actual = "fastbootd" if userspace else "its bootloader"
                raise DeviceError(
                    f"it was rebooted into {place}, but is in {actual}",
                    device=self.serial,
                    next_step="look at its screen",
                )
            time.sleep(_TICK_S)

    def getvar(self, name: str) -> str | None:
        """A variable of the device; None for an unknown one."""
        # The client exits with 0 even if the device refused: only the output shows it.
        lines = self.run(["getvar", name], remote_failures=False).text.splitlines()
        values = (line[len(name) + 1 :].strip() for line in lines if line.startswith(f"{name}:"))
        return next(values, None)

    def getvar_all(self) -> dict[str, str]:
        """All variables that the device lists, such as ``partition-size:boot_a``."""
        variables = {}
        for line in self.run(["getvar", "all"], remote_failures=False).text.splitlines():
            name, colon, value = line.removeprefix("(bootloader) ").rpartition(":")
            if colon and line.startswith("(bootloader) "):
                variables[name.strip()] = value.strip()
        return variables

    def boot(self, image: Path) -> None:
        """Boot ``image`` from memory; nothing is written."""
        self.run(["boot", str(image)], deadline_s=WRITE_DEADLINE_S)

    def flash(self, partition: str, image: Path) -> None:
        """Write ``image`` to ``partition``, whose name holds its slot."""
        self.run(["flash", partition, str(image)], deadline_s=WRITE_DEADLINE_S)

    def set_active(self, slot: str) -> None:
        """Select the slot that boots next, and read it back. DeviceError if it did not change."""
        self.run(["set_active", slot])
        now = (self.getvar("current-slot") or "").lstrip("_")
        if now != slot:
            raise DeviceError(
                f"slot {slot} was set active, but current-slot is {now or 'unknown'}",
                device=self.serial,
                next_step="check whether this bootloader can change slots: fastboot getvar all",
            )

    def reboot(self, to: Place = "android") -> None:
        """Reboot into Android, the bootloader or fastbootd; does not wait for it."""
        # The client itself waits for fastbootd, which takes a whole boot.
        appear_s = FASTBOOTD_S if to == "fastbootd" else APPEAR_S
        self.run(
            ["reboot", *REBOOT_TO[to].split()], deadline_s=appear_s + QUICK_DEADLINE_S, appear_s=appear_s
        )

    def run(
        self,
        words: Sequence[str],
        *,
        deadline_s: float = QUICK_DEADLINE_S,
        appear_s: float = APPEAR_S,
        remote_failures: bool = True,
    ) -> ClientResult:
        """Run the program once.

        CommandFailed with the device's reason (``remote_failures`` False: a refusal is an answer),
        DeviceLost if the device does not answer within ``appear_s`` or the link breaks,
        CommandTimeout, HostError.
        """
        doing = shlex.join(words)
        with log_command(self.serial, f"fastboot {doing}") as logged:
            result = self._run(["-s", self.serial, *words], deadline_s, appear_s)
            logged.outcome = f"exit status {result.exit_status}"
        refused = _REMOTE.search(result.text)
        if refused and (remote_failures or result.exit_status):
            what = f"was refused by the device: {refused[1] or 'no reason given'}"
        elif result.exit_status == 0 and (refused or "FAILED" not in result.text):
            return result
        elif result.exit_status == -signal.SIGPIPE or _LINK.search(result.text):
            # The client does not catch SIGPIPE: a network device that disconnects may kill it.
            raise self._lost(f"the link broke during 'fastboot {doing}': {_tail(result.text)}")
        else:
            what = f"ended with exit status {result.exit_status}: {_tail(result.text)}"
        raise CommandFailed(
            f"'fastboot {doing}' {what}",
            exit_status=result.exit_status,
            stdout=result.text,
            device=self.serial,
        )

    def _run(self, words: Sequence[str], deadline_s: float, appear_s: float) -> ClientResult:
        deadline, appear = Deadline(deadline_s), Deadline(appear_s)
        doing = f"'fastboot {shlex.join(words[2:] if words[0] == '-s' else words)}'"
        try:
            process = subprocess.Popen(
                [str(self.program), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal must not interrupt the write of a partition.
                start_new_session=True,
            )
        except OSError as error:
            raise HostError(f"fastboot could not be started: {error}") from error
        output = _Output(process, self._say)
        hung_up = 0
        try:
            while not output.ended(_TICK_S):
                if output.waits and appear.passed:
                    raise self._lost(f"no bootloader answers within {appear_s:g} s")
                # Version 29 of the client busy-loops when a network device disconnects. After its last
                # answer the client is about to end, or waits for the device to return.
                if self.serial.startswith("tcp:") and not output.answered and closed_by_device(process.pid):
                    hung_up += 1
                if hung_up > _HUNG_UP_TICKS:
                    raise self._lost(f"the device disconnected during {doing}")
                if deadline.passed:
                    raise CommandTimeout(
                        f"{doing} did not end within {deadline_s:g} s: {_tail(output.text)}",
                        device=self.serial,
                        next_step="look at the phone's screen",
                    )
            return ClientResult(process.wait(), output.text)
        finally:
            process.kill()
            process.wait()
            output.close()

    def _lost(self, what: str) -> DeviceLost:
        return DeviceLost(what, device=self.serial, next_step="check the cable, and 'fastboot devices'")


class _Output:
    """The program's output as it arrives."""

    def __init__(self, process: subprocess.Popen[bytes], say: Progress) -> None:
        assert process.stdout is not None
        self.text = ""
        self._pipe = process.stdout
        self._say = say
        self._steps_reported = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)

    @property
    def waits(self) -> bool:
        """Whether the program still looks for the device."""
        return self._last.startswith(_WAITING)

    @property
    def answered(self) -> bool:
        """Whether the last line has the device's OKAY."""
        return "OKAY" in self._last

    @property
    def _last(self) -> str:
        lines = self.text.rstrip().splitlines()
        return lines[-1] if lines else ""

    def ended(self, timeout_s: float) -> bool:
        """Read what arrives within ``timeout_s``; whether the output has ended."""
        if not self._selector.select(timeout_s):
            return False
        part = os.read(self._pipe.fileno(), 65536)
        self.text += part.decode("utf-8", "replace")
        self._report_steps()
        return not part

    def _report_steps(self) -> None:
        steps = [
            " ".join(re.split(r"OKAY|FAILED|\(bootloader\)", line)[0].split())
            for line in self.text.splitlines()
            if line.startswith(_STEPS)
        ]
        for step in steps[self._steps_reported :]:
            self._say(step)
        self._steps_reported = len(steps)

    def close(self) -> None:
        """Close the pipe."""
        self._selector.close()
        self._pipe.close()


def _tail(text: str) -> str:
    return " ".join(text.split())[-200:] or "it printed nothing"
