"""How long a campaign still takes, from the blocks that have ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from foundation.contract.records import PlannedBlock

_NOTHING: Final[Mapping[str, float]] = {}


@dataclass
class TimeLeft:
    """The mean duration of the ended blocks of a scenario stands for those to come.

    The mean and not the median: a repetition that is measured again, or a boot that is tried
    again, costs time in the blocks to come as well. A scenario that has no ended block yet is
    given the mean of all. What is judged after a pair is counted for each pair to come.
    """

    _blocks_s: dict[str, list[float]] = field(default_factory=dict)
    _judging_s: list[float] = field(default_factory=list)

    def block(self, scenario: str, dur_s: float) -> None:
        """A block of ``scenario`` has ended after ``dur_s`` seconds, all its attempts together."""
        self._blocks_s.setdefault(scenario, []).append(dur_s)

    def judging(self, dur_s: float) -> None:
        """The traces of a pair were read in ``dur_s`` seconds."""
        self._judging_s.append(dur_s)

    def expected_s(self, scenario: str) -> float | None:
        """Seconds of one block, or None before any has ended."""
        known = self._blocks_s.get(scenario) or [v for every in self._blocks_s.values() for v in every]
        return fmean(known) if known else None

    def left_s(
        self, remaining: Sequence[PlannedBlock], running: Mapping[str, float] = _NOTHING
    ) -> float | None:
        """Seconds until ``remaining`` has ended on every lane, or None before the first block has.

        ``running`` gives, by lane, the seconds since the begin of the first of its remaining blocks.
        """
        lanes: dict[str, float] = {}
        for block in remaining:
            expected = self.expected_s(block.scenario)
            if expected is None:
                return None
            if block.lane not in lanes:
                # A block that takes longer than expected is about to end, as far as one knows.
                expected = max(0.0, expected - running.get(block.lane, 0.0))
            lanes[block.lane] = lanes.get(block.lane, 0.0) + expected
        if self._judging_s:
            for _, _, lane in {(block.scenario, block.pair, block.lane) for block in remaining}:
                lanes[lane] += fmean(self._judging_s)
        return max(lanes.values(), default=0.0)
