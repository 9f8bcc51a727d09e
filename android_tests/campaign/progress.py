"""Plain progress lines: which block, which phase, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from android_tests.campaign.schedule import PlannedBlock


def span_text(seconds: float) -> str:
    """``75`` -> ``1 min 15 s``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {secs:02d} s" if minutes else f"{secs} s"


@dataclass
class Progress:
    """Says through ``write`` what happens; estimates the time left from finished blocks.

    The estimate is the mean duration of this run's blocks of the same scenario (of all
    blocks while a scenario has none yet).
    """

    total: int
    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _durations_s: dict[str, list[float]] = field(default_factory=dict)
    _block: PlannedBlock | None = None
    _begun_s: float = 0.0

    def begin(self, block: PlannedBlock, remaining: list[PlannedBlock]) -> None:
        """``remaining`` holds this block and all that follow it."""
        self._block = block
        self._begun_s = self.clock()
        left = self.left_s(remaining)
        tail = f", about {span_text(left)} left" if left is not None else ""
        place = f"{block.scenario}, pair {block.pair + 1}, {block.variant}"
        self.write(f"block {block.index + 1}/{self.total}: {place}{tail}")

    def phase(self, text: str) -> None:
        """One line inside a block, stamped with the seconds since its begin."""
        self.write(f"  {self.clock() - self._begun_s:5.1f} s  {text}")

    def end(self, outcome: str) -> None:
        """The block has ended, as ``valid``, ``void`` or ``kernel_failure``."""
        assert self._block is not None
        self.phase(outcome.replace("_", " "))
        self._durations_s.setdefault(self._block.scenario, []).append(self.clock() - self._begun_s)

    def left_s(self, remaining: list[PlannedBlock]) -> float | None:
        """Seconds still needed for ``remaining``, or None before the first block has ended."""
        every = [value for values in self._durations_s.values() for value in values]
        if not every:
            return None
        left = 0.0
        for block in remaining:
            known = self._durations_s.get(block.scenario) or every
            left += sum(known) / len(known)
        return left
