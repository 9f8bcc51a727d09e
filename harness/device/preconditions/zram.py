"""zram as a controlled factor: one device of a given size and algorithm, used as swap, empty at the start.

Attributes: Documentation/admin-guide/blockdev/zram.rst of the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import StateError
from foundation.quoting import quote, quote_argv
from harness.device.preconditions.pins import run_command, selected_choice, write_file

#: To swap everything in takes long on a full device, seconds.
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
        """Parse what `str` returns. ValueError for anything else."""
        match = _STATE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a zram state: {text!r}")
        return ZramState(int(match["disksize"]), match["algorithm"], match["swap"], match["backing"])


def parse_swaps(text: str) -> list[Swap]:
    """Parse /proc/swaps."""
    swaps = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 5:
            # Only the path may hold blanks, which the kernel writes as \040.
            swaps.append(Swap(words[0], int(words[-3]), int(words[-2]), int(words[-1])))
    return swaps


@dataclass(frozen=True)
class ZramPin:
    """A `Pin` that makes ``zramN`` an empty swap of ``size_mb`` MiB with ``algorithm``; needs root.

    A write swaps everything in, resets the device and sets it up again. The restore sets up what
    it was before (size, algorithm, priority, backing device), without its content. The kernel
    refuses the reset while something else has it open.
    """

    size_mb: int
    algorithm: str
    device_name: str = "zram0"

    precondition = "zram"
    survives_restart = False
    advice = "find what else sets up zram (init, a vendor daemon), and check dmesg"

    @property
    def name(self) -> str:
        """The device, ``zramN``."""
        return self.device_name

    @property
    def wanted(self) -> str:
        """A `ZramState` as text."""
        return str(ZramState(self.size_mb * _MIB, self.algorithm, _AUTO))

    def due(self, before: str) -> bool:
        """Always: a swap of the right shape may still hold pages of the previous block."""
        return True

    def read(self, device: Device) -> str:
        """The `ZramState` as text. StateError with the reason."""
        return str(self._state(device))

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are equal; the kernel rounds the size up to full pages."""
        asked, now = ZramState.parse(wanted), ZramState.parse(got)
        rounded = 0 <= now.disksize - asked.disksize < 64 * 1024
        return rounded and replace(asked, disksize=now.disksize) == now

    def write(self, device: Device, value: str) -> None:
        """Set it up, empty, as the `ZramState` ``value``. StateError with the step that failed."""
        now, target, node = self._state(device), ZramState.parse(value), self._node(device)
        if now.swap != "off":
            self._run(device, ["swapoff", node], "the swapped-out pages do not fit into memory: close apps")
        if now.disksize:
            self._set(device, "reset", "1")
        self._set(device, "comp_algorithm", target.algorithm)
        if target.disksize == 0:
            return
        if target.backing != _NO_BACKING:
            self._set(device, "backing_dev", target.backing)
        self._set(device, "disksize", str(target.disksize))
        self._run(device, ["mkswap", node], "check that the device has mkswap")
        if target.swap != "off":
            priority = [] if target.swap == _AUTO else ["-p", target.swap]
            self._run(device, ["swapon", *priority, node], "check dmesg")

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
                raise StateError(
                    f"{self.device_name}: {key} cannot be read: {answers[key].text}",
                    device=device.serial,
                    next_step="check that the kernel has zram and that the shell is root",
                )
        by_name = {swap.path.rpartition("/")[2]: swap for swap in parse_swaps(answers["swaps"].text)}
        swap = by_name.get(self.device_name)
        return ZramState(
            disksize=int(answers["disksize"].text),
            algorithm=selected_choice(answers["comp_algorithm"].text),
            swap="off" if swap is None else _AUTO if swap.priority < 0 else str(swap.priority),
            backing=answers["backing_dev"].value or _NO_BACKING,
        )

    def _node(self, device: Device) -> str:
        """Path of the block device, which Android has below /dev/block."""
        for node in (f"/dev/block/{self.device_name}", f"/dev/{self.device_name}"):
            if device.shell(["test", "-e", node], check=False).exit_status == 0:
                return node
        raise StateError(
            f"{self.device_name}: it has no block device in /dev/block or /dev",
            device=device.serial,
            next_step="check dmesg",
        )

    def _set(self, device: Device, attribute: str, value: str) -> None:
        path = f"/sys/block/{self.device_name}/{attribute}"
        write_file(device, f"{self.device_name}: {attribute}", path, value)

    def _run(self, device: Device, argv: list[str], advice: str) -> None:
        command = quote_argv(argv)
        run_command(device, self.device_name, command, deadline_s=SWAPOFF_DEADLINE_S, advice=advice)
