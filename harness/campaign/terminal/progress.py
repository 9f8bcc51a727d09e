"""What a campaign is doing now, reported to a view: lines, or a screen that is redrawn."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from analysis.judging.interim import Interim
from foundation.contract.records import PlannedBlock
from harness.campaign.phase import Phase
from harness.campaign.terminal.time_left import TimeLeft


def span_text(seconds: float) -> str:
    """``75`` -> ``1 min 15 s``."""
    hours, rest = divmod(max(0, round(seconds)), 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {secs:02d} s" if minutes else f"{secs} s"


class View(Protocol):
    """Where progress is shown; safe to call from several threads."""

    def line(self, text: str) -> None:
        """Write a line that stays: a block, an error, a device command."""

    def changed(self, progress: Progress) -> None:
        """Redraw a screen from ``progress``, which has changed."""

    def close(self) -> None:
        """Restore the terminal; may be called twice."""


@dataclass
class RunningBlock:
    """A block that runs, its phase, and its start in seconds of `Progress.clock`."""

    block: PlannedBlock
    begun_s: float
    phase: Phase = Phase.BOOT
    text: str = ""


@dataclass
class Progress:
    """The state of a run of ``blocks``, shown in ``view``.

    ``name`` and ``device`` are the head of a screen. ``finished`` holds the indices of blocks that
    this or an earlier run of the campaign has finished, ``running`` has those that run by index. Up to
    ``side_by_side`` do, each reported by a thread of its own; their lines name the block then.
    """

    blocks: Sequence[PlannedBlock]
    view: View
    name: str = ""
    device: str = ""
    clock: Callable[[], float] = time.monotonic
    time_left: TimeLeft = field(default_factory=TimeLeft)
    running: dict[int, RunningBlock] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    interim: tuple[Interim, ...] = ()
    finished: set[int] = field(default_factory=set)
    side_by_side: int = 1
    _ending: threading.Lock = field(default_factory=threading.Lock)
    _begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun_s = self.clock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start of this run."""
        return self.clock() - self._begun_s

    def left_s(self) -> float | None:
        """Estimated seconds to the end, None before the first block has ended."""
        now = self.clock()
        remaining = [block for block in self.blocks if block.index not in self.finished]
        running = {one.block.index: now - one.begun_s for one in self.running_now()}
        return self.time_left.left_s(remaining, running, side_by_side=self.side_by_side)

    def running_now(self) -> list[RunningBlock]:
        """The blocks that run at this moment, in the order of their starts."""
        return list(self.running.values())

    def resume(self, finished: Collection[int], set_aside: int, where: str) -> None:
        """Count blocks of an earlier run as finished, with a line if there are any."""
        self.finished |= set(finished)
        if finished or set_aside:
            self.line(
                f"resuming {where}: {len(finished)} of {len(self.blocks)} blocks are finished"
                + (f", {set_aside} of broken pairs set aside" if set_aside else "")
            )

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.view.line(text)

    def begin(self, block: PlannedBlock) -> None:
        """``block`` starts on its lane."""
        self.running[block.index] = RunningBlock(block, self.clock())
        left = self.left_s()
        tail = f", about {span_text(left)} left" if left is not None else ""
        place = f"{block.scenario}, pair {block.pair + 1}, {block.variant}"
        self.line(f"block {block.index + 1}/{len(self.blocks)}: {place}{tail}")
        self.view.changed(self)

    def phase(self, block: PlannedBlock, phase: Phase, text: str | None = None) -> None:
        """``block`` is in ``phase``; ``text`` becomes a line with the seconds since its start."""
        one = self.running[block.index]
        one.phase, one.text = phase, text or ""
        if text:
            self._line_of(block, f"{self.clock() - one.begun_s:5.1f} s  {text}")
        self.view.changed(self)

    def end(self, block: PlannedBlock, outcome: str) -> None:
        """``block`` has ended with ``outcome``: ``valid``, ``void`` or ``kernel_failure``."""
        dur_s = self.clock() - self.running.pop(block.index).begun_s
        self._line_of(block, f"{dur_s:5.1f} s  {outcome.replace('_', ' ')}")
        with self._ending:
            self.time_left.block(block.scenario, dur_s)
            self.outcomes[outcome] += 1
            self.finished.add(block.index)
        self.view.changed(self)

    def broke(self, block: PlannedBlock, error: str) -> None:
        """``block`` has ended without an outcome, and its lane is broken."""
        self.running.pop(block.index, None)
        self.line(f"error: {error}")
        self.view.changed(self)

    def reading(self, block: PlannedBlock, text: str) -> None:
        """The traces of the pair that ``block`` completed are being read."""
        one = self.running.setdefault(block.index, RunningBlock(block, self.clock()))
        one.phase, one.text = Phase.JUDGE, text
        self.view.changed(self)

    def judged(self, block: PlannedBlock, interim: Sequence[Interim]) -> None:
        """Show the running estimates after the pair that ``block`` completed."""
        one = self.running.pop(block.index, None)
        if one is not None:
            self.time_left.judging(self.clock() - one.begun_s)
        self.interim = tuple(interim)
        for text in interim_lines([one for one in interim if one.scenario == block.scenario]):
            self.line(f"  {text}")
        self.view.changed(self)

    def _line_of(self, block: PlannedBlock, text: str) -> None:
        number = f"[{block.index + 1}] " if self.side_by_side > 1 else ""
        self.line(f"  {number}{text}")


def interim_lines(interim: Sequence[Interim]) -> list[str]:
    """A line for each scenario and variant, marked so that it cannot be taken for a verdict."""
    lines = []
    for key in dict.fromkeys((one.scenario, one.variant) for one in interim):
        of_key = [one for one in interim if (one.scenario, one.variant) == key]
        pairs = max(one.pairs for one in of_key)
        figures = ", ".join(f"{one.metric} {one.change_text()}" for one in of_key)
        lines.append(
            f"not yet a verdict: {key[0]}, {key[1]}, {pairs} of {of_key[0].planned} pairs: {figures}"
        )
    return lines
