"""The output of the memory eater: one JSON line per phase, validated."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from foundation.errors import DeviceError

PHASES: Final = ("fill", "touch", "verify")
#: Lines beside those of phases: the page size, before anything is filled; the end of the measured work.
BEGIN: Final = "begin"
HOLD: Final = "hold"

#: An integer that is not negative.
Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class Phase:
    """One phase of the eater.

    ``t_boot_ns`` is its start (CLOCK_BOOTTIME); it accessed ``pages`` of ``page_bytes``; ``first_wrong``
    is the index of the first of ``mismatches`` wrong pages, or -1. ``buckets`` is a histogram of the
    accesses' latency: (lower edge in ns, accesses), each bucket at most a quarter of an octave wide.
    """

    event: Literal["fill", "touch", "verify"]
    t_boot_ns: Count
    dur_us: Count
    pages: Count
    rewritten: Count
    mismatches: Count
    first_wrong: int
    total_ns: Count
    max_ns: Count
    buckets: tuple[tuple[Count, Count], ...]
    page_bytes: Annotated[int, msgspec.Meta(gt=0)]

    def __post_init__(self) -> None:
        if (self.first_wrong < 0) != (self.mismatches == 0):
            raise ValueError(f"first_wrong {self.first_wrong} with {self.mismatches} wrong pages")
        if sum(count for _, count in self.buckets) != self.pages:
            raise ValueError("the histogram does not add up to the pages")
        if any(one >= other for (one, _), (other, _) in itertools.pairwise(self.buckets)):
            raise ValueError("the histogram's buckets are out of order")

    def quantile_ns(self, share: float) -> int:
        """Lower edge of the bucket with the quantile ``share``; 0 for a phase without pages."""
        left = share * self.pages
        for least, count in self.buckets:
            left -= count
            if left <= 0:
                return least
        return 0


@dataclass(frozen=True)
class _Begin:
    event: Literal["begin"]
    page_bytes: Annotated[int, msgspec.Meta(gt=0)]


def complete_lines(text: str) -> list[str]:
    """The complete lines of the output so far."""
    return text.split("\n")[:-1]


def page_bytes_of(text: str, *, device: str | None = None) -> int:
    """The device's page size, from the first line. DeviceError if it is another."""
    try:
        first = msgspec.json.decode(complete_lines(text)[0], type=_Begin)
    except (IndexError, msgspec.MsgspecError) as damage:
        raise DeviceError(
            f"the memory eater did not print its page size: {text[:120]!r}",
            device=device,
            next_step="run it on the device by hand",
        ) from damage
    return first.page_bytes


def parse_phases(text: str, *, device: str | None = None) -> tuple[Phase, ...]:
    """Phases in the order in which they ended. DeviceError for an invalid line."""
    phases = []
    for line in complete_lines(text):
        try:
            content = json.loads(line)
            if content["event"] not in (BEGIN, HOLD):
                phases.append(msgspec.convert(content, Phase))
        except (ValueError, KeyError, TypeError, msgspec.ValidationError) as damage:
            raise DeviceError(
                f"the memory eater printed an invalid line: {line[:120]!r} ({damage})",
                device=device,
                next_step="check what else prints to the shell, and that the program is the suite's",
            ) from damage
    order = [phase.event for phase in phases]
    if order != [name for name in PHASES if name in order]:
        raise DeviceError(f"the memory eater's phases came as {', '.join(order)}", device=device)
    return tuple(phases)
