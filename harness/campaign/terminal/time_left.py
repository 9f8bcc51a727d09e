"""How long a campaign still takes, estimated from the blocks that have ended."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from foundation.contract.records import PlannedBlock

_NOTHING: Final[Mapping[int, float]] = {}


@dataclass
class TimeLeft:
    """Expects each block to take the mean duration of its scenario's ended blocks.

    The mean, not the median: repeated repetitions and boots will cost time in later blocks, too. A
    scenario without an ended block gets the mean of all. Each remaining pair also takes the mean time
    of judging after a pair.
    """

    _blocks_s: dict[str, list[float]] = field(default_factory=dict)
    _judging_s: list[float] = field(default_factory=list)

    def block(self, scenario: str, dur_s: float) -> None:
        """A block of ``scenario`` took ``dur_s`` seconds, including all attempts."""
        self._blocks_s.setdefault(scenario, []).append(dur_s)

    def judging(self, dur_s: float) -> None:
        """Reading the traces of a pair took ``dur_s`` seconds."""
        self._judging_s.append(dur_s)

    def expected_s(self, scenario: str) -> float | None:
        """Expected seconds of one block, None before any has ended."""
        ended_s = self._blocks_s.get(scenario) or [v for every in self._blocks_s.values() for v in every]
        return fmean(ended_s) if ended_s else None

    def left_s(
        self,
        remaining: Sequence[PlannedBlock],
        running: Mapping[int, float] = _NOTHING,
        *,
        side_by_side: int = 1,
    ) -> float | None:
        """Seconds until ``remaining`` has ended on every lane, None before any block has ended.

        ``running`` holds, by block, the seconds since the start of those that run now; ``side_by_side``
        blocks of a lane run at once.
        """
        ends_s: dict[str, list[float]] = {}
        for block in sorted(remaining, key=lambda block: block.index not in running):
            expected = self.expected_s(block.scenario)
            if expected is None:
                return None
            # Assume that a block that takes longer than expected is about to end.
            expected = max(0.0, expected - running.get(block.index, 0.0))
            places = ends_s.setdefault(block.lane, [0.0] * side_by_side)
            heapq.heapreplace(places, places[0] + expected)
        left_s = {lane: max(places) for lane, places in ends_s.items()}
        if self._judging_s:
            for _, _, lane in {(block.scenario, block.pair, block.lane) for block in remaining}:
                left_s[lane] += fmean(self._judging_s)
        return max(left_s.values(), default=0.0)
