"""What a device swaps to: /proc/swaps, and one zram device as its files show it.

Attributes: Documentation/admin-guide/blockdev/zram.rst of the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import StateError
from foundation.quoting import quote
from harness.device.preconditions.pins import selected_choice

NO_BACKING: Final = "none"
#: A priority that the kernel chooses: a negative one, by the order of swapon.
AUTO: Final = "auto"
OFF: Final = "off"

_STATE: Final = re.compile(
    r"disksize=(?P<disksize>\d+) algorithm=(?P<algorithm>\S*) swap=(?P<swap>off|auto|\d+)"
    r" backing=(?P<backing>\S+)(?: mem_limit=(?P<mem_limit>\d+))?"
    r"(?: recompression=(?P<recompression>\S+))?(?: writeback_limit=(?P<writeback_limit>\d+))?"
)
#: A line of recomp_algorithm: its priority, and the choices.
_RECOMPRESSION: Final = re.compile(r"^#(\d+):(.*\[.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Swap:
    """One line of /proc/swaps, sizes in KiB."""

    path: str
    size_kb: int
    used_kb: int
    priority: int

    @property
    def name(self) -> str:
        """The device or file without its folders."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class ZramState:
    """``disksize`` in bytes (0: not initialised); ``swap`` is off, auto or the priority given to swapon.

    ``mem_limit`` in bytes (0: none); ``recompression`` is ``PRIORITY:ALGORITHM`` for each, with commas;
    ``writeback_limit`` in units of 4 KiB, None while there is none.
    """

    disksize: int
    algorithm: str
    swap: str
    backing: str = NO_BACKING
    mem_limit: int = 0
    recompression: str = ""
    writeback_limit: int | None = None

    def __str__(self) -> str:
        text = (
            f"disksize={self.disksize} algorithm={self.algorithm} swap={self.swap} backing={self.backing}"
        )
        text += f" mem_limit={self.mem_limit}" if self.mem_limit else ""
        text += f" recompression={self.recompression}" if self.recompression else ""
        return text + ("" if self.writeback_limit is None else f" writeback_limit={self.writeback_limit}")

    @staticmethod
    def parse(text: str) -> ZramState:
        """Parse what `str` returns. ValueError for anything else."""
        match = _STATE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a zram state: {text!r}")
        limit = match["writeback_limit"]
        return ZramState(
            int(match["disksize"]),
            match["algorithm"],
            match["swap"],
            match["backing"],
            int(match["mem_limit"] or 0),
            match["recompression"] or "",
            None if limit is None else int(limit),
        )

    @property
    def has_backing(self) -> bool:
        """Whether pages can be written back to a device of its own."""
        return self.backing != NO_BACKING

    def same_as(self, other: ZramState) -> bool:
        """Whether both are set up alike; the kernel rounds the size of ``other`` up to full pages.

        The limit of writeback counts down while it is used, so it does not matter.
        """
        return 0 <= other.disksize - self.disksize < 64 * 1024 and (
            (self.algorithm, self.swap, self.backing, self.mem_limit, self.recompression)
            == (other.algorithm, other.swap, other.backing, other.mem_limit, other.recompression)
        )

    @property
    def words(self) -> str:
        """Size and algorithm, for people."""
        return f"{self.disksize >> 20} MiB, {self.algorithm}"


def parse_swaps(text: str) -> list[Swap]:
    """Parse /proc/swaps."""
    swaps = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 5:
            # Only the path may hold blanks, which the kernel writes as \040.
            swaps.append(Swap(words[0], int(words[-3]), int(words[-2]), int(words[-1])))
    return swaps


def read_zram(device: Device, name: str) -> ZramState:
    """The state of ``zramN``; needs root. StateError with the reason."""
    base = f"/sys/block/{name}"
    files = ("disksize", "comp_algorithm", "backing_dev", "recomp_algorithm", "mm_stat")
    limits = ("writeback_limit_enable", "writeback_limit")
    answers = ask_all(
        device,
        {file: f"cat {quote(base)}/{file}" for file in (*files, *limits)} | {"swaps": "cat /proc/swaps"},
    )
    for key in ("disksize", "comp_algorithm", "swaps"):
        if not answers[key].ok:
            raise StateError(
                f"{name}: {key} cannot be read: {answers[key].text}",
                device=device.serial,
                next_step="check that the kernel has zram and that the shell is root",
            )
    swap = next((one for one in parse_swaps(answers["swaps"].text) if one.name == name), None)
    # mem_limit itself can only be written.
    statistics = (answers["mm_stat"].value or "").split()
    limited = answers["writeback_limit_enable"].value == "1"
    return ZramState(
        disksize=int(answers["disksize"].text),
        algorithm=selected_choice(answers["comp_algorithm"].text),
        swap=OFF if swap is None else AUTO if swap.priority < 0 else str(swap.priority),
        backing=answers["backing_dev"].value or NO_BACKING,
        mem_limit=int(statistics[3]) if len(statistics) > 3 else 0,
        recompression=",".join(
            f"{priority}:{selected_choice(choices)}"
            for priority, choices in _RECOMPRESSION.findall(answers["recomp_algorithm"].value or "")
        ),
        writeback_limit=int(answers["writeback_limit"].text) if limited else None,
    )
