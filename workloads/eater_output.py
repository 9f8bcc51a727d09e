"""What the memory eater prints: one JSON line a phase, checked before it is believed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from foundation.errors import DeviceError

PHASES: Final = ("fill", "touch", "verify")
HOLD: Final = "hold"
_COUNTS: Final = (
    "t_boot_ns",
    "dur_us",
    "pages",
    "rewritten",
    "mismatches",
    "total_ns",
    "max_ns",
)


@dataclass(frozen=True)
class Phase:
    """One phase of the eater.

    ``t_boot_ns`` is its begin (CLOCK_BOOTTIME); ``pages`` of 4 KiB were accessed; ``first_wrong``
    is the index of the first of ``mismatches`` wrong pages, or -1. ``buckets`` is the histogram
    of the access that faults: (least ns, accesses), each at most a quarter of an octave wide.
    """

    event: str
    t_boot_ns: int
    dur_us: int
    pages: int
    rewritten: int
    mismatches: int
    first_wrong: int
    total_ns: int
    max_ns: int
    buckets: tuple[tuple[int, int], ...]

    def quantile_ns(self, share: float) -> int:
        """Lower edge of the bucket that holds this quantile; 0 for a phase without pages."""
        left = share * self.pages
        for least, count in self.buckets:
            left -= count
            if left <= 0:
                return least
        return 0


def complete_lines(text: str) -> list[str]:
    """Lines of what has been printed so far; one that is not whole yet is left out."""
    return text.split("\n")[:-1]


def is_holding(text: str) -> bool:
    """Whether the eater said that it has done its measured work."""
    lines = complete_lines(text)
    return bool(lines) and f'"event":"{HOLD}"' in lines[-1]


def parse_phases(text: str, *, device: str | None = None) -> tuple[Phase, ...]:
    """Phases in the order in which they ended. DeviceError for a line that is none."""
    found = []
    for line in complete_lines(text):
        try:
            content = json.loads(line)
            if content["event"] != HOLD:
                found.append(_phase(content))
        except (ValueError, KeyError, TypeError) as damage:
            raise DeviceError(
                f"the memory eater printed a line that is none of its own: {line[:120]!r} ({damage})",
                device=device,
                next_step="see what else prints on the device's shell, and that the program is the suite's",
            ) from damage
    order = [phase.event for phase in found]
    if order != [name for name in PHASES if name in order]:
        raise DeviceError(f"the memory eater's phases came as {', '.join(order)}", device=device)
    return tuple(found)


def _phase(content: dict[str, Any]) -> Phase:
    """ValueError for what cannot be: a count below 0, a histogram of other than the phase's pages."""
    if content["event"] not in PHASES:
        raise ValueError(f"no phase {content['event']!r}")
    counts = {key: _count(content[key], key) for key in _COUNTS}
    buckets = _buckets(content["buckets"])
    first_wrong = content["first_wrong"]
    if type(first_wrong) is not int or (first_wrong < 0) != (counts["mismatches"] == 0):
        raise ValueError(f"first_wrong {first_wrong!r} with {counts['mismatches']} wrong pages")
    if sum(count for _, count in buckets) != counts["pages"]:
        raise ValueError("the histogram holds other than the pages")
    return Phase(event=content["event"], first_wrong=first_wrong, buckets=buckets, **counts)


def _count(value: object, key: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{key} is {value!r}")
    return value


def _buckets(listed: Sequence[Sequence[object]]) -> tuple[tuple[int, int], ...]:
    buckets = tuple((_count(least, "a bucket"), _count(count, "a bucket")) for least, count in listed)
    if any(one[0] >= other[0] for one, other in itertools.pairwise(buckets)):
        raise ValueError("the histogram's buckets are out of order")
    return buckets
