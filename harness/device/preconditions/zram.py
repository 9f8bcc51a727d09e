"""zram as a controlled factor: one device, one size, one algorithm, used as swap and empty at the start.

Attributes: Documentation/admin-guide/blockdev/zram.rst of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import CommandFailed, StateError
from foundation.quoting import quote, quote_argv
from harness.device.preconditions.pins import selected_choice, write_file

#: Swapping in all that is out may take long on a full device, seconds.
SWAPOFF_DEADLINE_S: Final = 180.0

_MIB: Final = 1024 * 1024
_NO_BACKING: Final = "none"
_AUTO: Final = "auto"
_STATE: Final = re.compile(
    r"disksize=(?P<disksize>\d+) algorithm=(?P<algorithm>\S+) swap=(?P<swap>off|auto|\d+)"
    r" backing=(?P<backing>\S+)"
)


@dataclass(frozen=True)
class Swap:
    """One line of /proc/swaps, sizes in KiB."""

    path: str
    size_kb: int
    used_kb: int
    priority: int


@dataclass(frozen=True)
class ZramState:
    """``disksize`` in bytes (0: not initialised); ``swap`` is off, auto or the priority given to swapon."""

    disksize: int
    algorithm: str
    swap: str
    backing: str = _NO_BACKING

    def __str__(self) -> str:
        return (
            f"disksize={self.disksize} algorithm={self.algorithm} swap={self.swap} backing={self.backing}"
        )

    @staticmethod
    def parse(text: str) -> ZramState:
        """Read what ``str`` wrote. ValueError for anything else."""
        found = _STATE.fullmatch(text)
        if found is None:
            raise ValueError(f"not a zram state: {text!r}")
        return ZramState(int(found["disksize"]), found["algorithm"], found["swap"], found["backing"])


def parse_swaps(text: str) -> list[Swap]:
    """Lines of /proc/swaps."""
    swaps = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 5:
            # Only the path may hold blanks, and the kernel writes those as \040.
            swaps.append(Swap(words[0], int(words[-3]), int(words[-2]), int(words[-1])))
    return swaps


@dataclass(frozen=True)
class _Set:
    attribute: str
    value: str


@dataclass(frozen=True)
class _Run:
    argv: list[str]
    advice: str


def _steps(now: ZramState, target: ZramState, node: str) -> Iterator[_Set | _Run]:
    """From ``now`` to ``target``, empty."""
    if now.swap != "off":
        yield _Run(["swapoff", node], "what is swapped out does not fit into memory; close apps")
    if now.disksize:
        yield _Set("reset", "1")
    yield _Set("comp_algorithm", target.algorithm)
    if target.disksize == 0:
        return
    if target.backing != _NO_BACKING:
        yield _Set("backing_dev", target.backing)
    yield _Set("disksize", str(target.disksize))
    yield _Run(["mkswap", node], "check that the device has mkswap")
    if target.swap != "off":
        priority = [] if target.swap == _AUTO else ["-p", target.swap]
        yield _Run(["swapon", *priority, node], "check dmesg")


@dataclass(frozen=True)
class ZramPin:
    """A `Pin` that makes ``zramN`` an empty swap of ``size_mb`` MiB with ``algorithm``; needs root.

    Setting it swaps everything in, resets the device and builds it again; what it was
    before (size, algorithm, priority, backing device) is built again at the restore,
    without its content. The kernel refuses the reset while something else has it open.
    """

    size_mb: int
    algorithm: str
    device_name: str = "zram0"

    precondition = "zram"
    survives_restart = False
    advice = "find what else sets zram up (init, a vendor daemon), and see dmesg"

    @property
    def name(self) -> str:
        """The device, ``zramN``."""
        return self.device_name

    @property
    def wanted(self) -> str:
        """A `ZramState` as text."""
        return str(ZramState(self.size_mb * _MIB, self.algorithm, _AUTO))

    def due(self, before: str) -> bool:
        """Always: a swap of the right shape may still hold pages of the block before."""
        return True

    def read(self, device: Device) -> str:
        """The `ZramState` as text. StateError with the reason."""
        return str(self._state(device))

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are equal; the kernel rounds the size up to whole pages."""
        asked, found = ZramState.parse(wanted), ZramState.parse(got)
        whole = 0 <= found.disksize - asked.disksize < 64 * 1024
        return whole and replace(asked, disksize=found.disksize) == found

    def write(self, device: Device, value: str) -> None:
        """Build it again as ``value`` says, empty. StateError with the step that failed."""
        target = ZramState.parse(value)
        now = self._state(device)
        for step in _steps(now, target, self._node(device)):
            if isinstance(step, _Set):
                path = f"/sys/block/{self.device_name}/{step.attribute}"
                write_file(device, f"{self.device_name}: {step.attribute}", path, step.value)
            else:
                self._run(device, step.argv, step.advice)

    def _state(self, device: Device) -> ZramState:
        base = f"/sys/block/{self.device_name}"
        answers = ask_all(
            device,
            {
                "disksize": f"cat {quote(base)}/disksize",
                "comp_algorithm": f"cat {quote(base)}/comp_algorithm",
                "backing_dev": f"cat {quote(base)}/backing_dev",
                "swaps": "cat /proc/swaps",
            },
        )
        for key in ("disksize", "comp_algorithm", "swaps"):
            if not answers[key].ok:
                self._fail(
                    device,
                    f"{key} cannot be read: {answers[key].text}",
                    "check that the kernel has zram and that the shell is root",
                )
        swap = next(
            (
                s
                for s in parse_swaps(answers["swaps"].text)
                if s.path.rpartition("/")[2] == self.device_name
            ),
            None,
        )
        return ZramState(
            disksize=int(answers["disksize"].text),
            algorithm=selected_choice(answers["comp_algorithm"].text),
            swap="off" if swap is None else _AUTO if swap.priority < 0 else str(swap.priority),
            backing=answers["backing_dev"].value or _NO_BACKING,
        )

    @property
    def _nodes(self) -> tuple[str, str]:
        return f"/dev/block/{self.device_name}", f"/dev/{self.device_name}"

    def _node(self, device: Device) -> str:
        """Where the block device is: Android has it below /dev/block."""
        for node in self._nodes:
            if device.shell(["test", "-e", node], check=False).exit_status == 0:
                return node
        self._fail(device, "it has no block device in /dev/block or /dev", "check dmesg")
        raise AssertionError

    def _run(self, device: Device, argv: list[str], advice: str) -> None:
        try:
            device.shell(argv, deadline_s=SWAPOFF_DEADLINE_S)
        except CommandFailed as error:
            said = (error.stderr or error.stdout).strip() or f"exit status {error.exit_status}"
            raise StateError(
                f"{self.device_name}: '{quote_argv(argv)}' failed: {said}",
                device=device.serial,
                next_step=advice,
            ) from error

    def _fail(self, device: Device, what: str, advice: str) -> None:
        raise StateError(f"{self.device_name}: {what}", device=device.serial, next_step=advice)
