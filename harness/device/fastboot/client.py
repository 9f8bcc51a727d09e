"""The real ``fastboot`` program: each call has a deadline, and its exit status and output are both read."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import shutil
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
#: How long a device that was there a moment ago may be away.
APPEAR_S: Final = 10.0
#: From the bootloader into fastbootd.
FASTBOOTD_S: Final = 120.0

_TICK_S: Final = 0.2
_HUNG_UP_TICKS: Final = 2
_WAITING: Final = "< waiting for "
#: What the client says when the link breaks, by USB or network.
_LINK: Final = re.compile(
    r"(status read|command write|data (write|read|transfer)|write to device|read from device)[a-z ]* fail"
    r"|no such device|no link|failed to connect|connection reset|broken pipe|device disconnected",
    re.IGNORECASE,
)
_STEPS: Final = ("Sending", "Writing", "Resizing")
_REMOTE: Final = re.compile(r"FAILED \(remote: '?(.*?)'?\)$", re.MULTILINE)
_REBOOT_TO: Final[dict[Place, list[str]]] = {
    "android": [],
    "bootloader": ["bootloader"],
    "fastbootd": ["fastboot"],
}


@dataclass(frozen=True)
class ClientResult:
    """What one call of the program printed, and its exit status."""

    exit_status: int
    text: str


class Fastboot:
    """One device in its bootloader, or in fastbootd; ``serial`` is USB's, or ``tcp:HOST[:PORT]``.

    ``say`` is told each step of a longer call, such as ``Sending sparse 'boot_b' 1/4``.
    """

    def __init__(self, serial: str, *, program: Path | None = None, say: Progress = silent) -> None:
        self.serial = serial
        self._program = program
        self._say = say

    @property
    def program(self) -> Path:
        """HostError if there is none."""
        if self._program is None:
            found = shutil.which("fastboot")
            if found is None:
                raise HostError(
                    "there is no fastboot on this machine",
                    next_step="install Debian's package fastboot, or the Android platform tools",
                )
            self._program = Path(found)
        return self._program

    def version(self) -> str:
        """Of the program."""
        said = self._run(["--version"], QUICK_DEADLINE_S, APPEAR_S).text
        return said.splitlines()[0].removeprefix("fastboot version ") if said else "unknown"

    def present(self, *, deadline_s: float = 5.0, appear_s: float = 0.5) -> bool:
        """Whether a bootloader answers now."""
        try:
            self.run(["getvar", "product"], deadline_s=deadline_s, appear_s=appear_s)
        except (DeviceLost, CommandTimeout):
            return False
        except CommandFailed:
            # It answers, if only to say that it knows no product.
            return True
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
            # The one that it leaves may answer for a last time.
            if deadline.passed:
                found = "fastbootd" if userspace else "its bootloader"
                raise DeviceError(
                    f"it was sent to {place}, and is in {found}",
                    device=self.serial,
                    next_step="see what its screen says",
                )
            time.sleep(_TICK_S)

    def getvar(self, name: str) -> str | None:
        """A variable; None for one that the device does not know."""
        # The client ends with status 0 also when the device refused: only the output tells.
        said = self.run(["getvar", name], remote_failures=False).text
        for line in said.splitlines():
            if line.startswith(f"{name}:"):
                return line[len(name) + 1 :].strip()
        return None

    def getvar_all(self) -> dict[str, str]:
        """All that the device lists, such as ``partition-size:boot_a``."""
        said = self.run(["getvar", "all"], remote_failures=False).text
        found = {}
        for line in said.splitlines():
            if line.startswith("(bootloader) "):
                name, colon, value = line.removeprefix("(bootloader) ").rpartition(":")
                if colon:
                    found[name.strip()] = value.strip()
        return found

    def boot(self, image: Path) -> None:
        """Start ``image`` from memory; nothing is written."""
        self.run(["boot", str(image)], deadline_s=WRITE_DEADLINE_S)

    def flash(self, partition: str, image: Path) -> None:
        """Write ``image`` to ``partition``, whose name holds its slot."""
        self.run(["flash", partition, str(image)], deadline_s=WRITE_DEADLINE_S)

    def set_active(self, slot: str) -> None:
        """Choose the slot that starts next, and read it back. DeviceError if it did not take."""
        self.run(["set_active", slot])
        now = (self.getvar("current-slot") or "").lstrip("_")
        if now != slot:
            raise DeviceError(
                f"slot {slot} was set active, and current-slot is {now or 'unknown'}",
                device=self.serial,
                next_step="see whether this bootloader can change slots: fastboot getvar all",
            )

    def reboot(self, to: Place = "android") -> None:
        """Leave for Android, or come back as the bootloader or fastbootd; does not wait."""
        # The client itself waits for fastbootd, which is a whole boot away.
        appear_s = FASTBOOTD_S if to == "fastbootd" else APPEAR_S
        self.run(["reboot", *_REBOOT_TO[to]], deadline_s=appear_s + QUICK_DEADLINE_S, appear_s=appear_s)

    def run(
        self,
        words: Sequence[str],
        *,
        deadline_s: float = QUICK_DEADLINE_S,
        appear_s: float = APPEAR_S,
        remote_failures: bool = True,
    ) -> ClientResult:
        """One call of the program.

        CommandFailed with the device's own words (not for ``remote_failures`` False, where a
        refusal is an answer), DeviceLost if the device is not there within ``appear_s`` or the
        link breaks, CommandTimeout, HostError.
        """
        doing = shlex.join(words)
        with log_command(self.serial, f"fastboot {doing}") as logged:
            said = self._run(["-s", self.serial, *words], deadline_s, appear_s)
            logged.outcome = f"exit status {said.exit_status}"
        refused = _REMOTE.search(said.text)
        if refused and (remote_failures or said.exit_status):
            raise CommandFailed(
                f"'fastboot {doing}' was refused by the device: {refused[1] or 'it did not say why'}",
                exit_status=said.exit_status,
                stdout=said.text,
                device=self.serial,
            )
        if said.exit_status == 0 and (refused or "FAILED" not in said.text):
            return said
        if _LINK.search(said.text):
            raise self._lost(f"the link broke during 'fastboot {doing}': {_tail(said.text)}")
        raise CommandFailed(
            f"'fastboot {doing}' ended with exit status {said.exit_status}: {_tail(said.text)}",
            exit_status=said.exit_status,
            stdout=said.text,
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
                # A Ctrl-C at the terminal must not cut a partition that is being written.
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
                # Version 29 of the client turns on the spot once a network device hangs up. One that
                # has its last answer is about to end, or waits for the device to come back.
                if self.serial.startswith("tcp:") and not output.answered and closed_by_device(process.pid):
                    hung_up += 1
                if hung_up > _HUNG_UP_TICKS:
                    raise self._lost(f"the device hung up during {doing}")
                if deadline.passed:
                    raise CommandTimeout(
                        f"{doing} did not end within {deadline_s:g} s: {_tail(output.text)}",
                        device=self.serial,
                        next_step="see what the phone's screen says",
                    )
            return ClientResult(process.wait(), output.text)
        finally:
            process.kill()
            process.wait()
            output.close()

    def _lost(self, what: str) -> DeviceLost:
        return DeviceLost(what, device=self.serial, next_step="check the cable, and 'fastboot devices'")


class _Output:
    """What the program prints, as it comes."""

    def __init__(self, process: subprocess.Popen[bytes], say: Progress) -> None:
        assert process.stdout is not None
        self.text = ""
        self._pipe = process.stdout
        self._say = say
        self._told = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)

    @property
    def waits(self) -> bool:
        """Whether the program has found no device yet."""
        return self._last.startswith(_WAITING)

    @property
    def answered(self) -> bool:
        """Whether the last thing printed is the device's OKAY."""
        return "OKAY" in self._last

    @property
    def _last(self) -> str:
        lines = self.text.rstrip().splitlines()
        return lines[-1] if lines else ""

    def ended(self, timeout_s: float) -> bool:
        """Read what there is within ``timeout_s``; whether that was all."""
        if not self._selector.select(timeout_s):
            return False
        part = os.read(self._pipe.fileno(), 65536)
        self.text += part.decode("utf-8", "replace")
        self._tell()
        return not part

    def _tell(self) -> None:
        steps = [
            " ".join(re.split(r"OKAY|FAILED|\(bootloader\)", line)[0].split())
            for line in self.text.splitlines()
            if line.startswith(_STEPS)
        ]
        for step in steps[self._told :]:
            self._say(step)
        self._told = len(steps)

    def close(self) -> None:
        self._selector.close()
        self._pipe.close()


def _tail(text: str) -> str:
    return " ".join(text.split())[-200:] or "it said nothing"
