"""What a campaign asks of a workload, whatever it makes the device do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from workloads.kills import KillMark
from workloads.switches import Switch


class Cycle(Protocol):
    """What one cycle came to; pages are of 4 KiB."""

    @property
    def switches(self) -> Sequence[Switch]:
        """App switches; empty for a workload that has none."""

    @property
    def kills(self) -> int:
        """How many processes of the workload the device killed."""

    @property
    def pages_verified(self) -> int:
        """How many pages were read and compared with what had been written."""

    @property
    def mismatches(self) -> int:
        """0 for every cycle that exists: a wrong page is raised as DataCorruption."""

    def with_trace(self, marks: Sequence[KillMark] | None, births: Mapping[int, int]) -> Cycle:
        """This cycle with what the trace of its repetition tells.

        ``marks`` are lmkd's kills, None where the trace has none of its marks; ``births`` is when each
        process began, CLOCK_BOOTTIME ns by pid, empty where that was not recorded.
        """

    def to_json_lines(self) -> str:
        """The content of ``workload.jsonl``."""

    def facts(self) -> Mapping[str, Any]:
        """What only this workload has to say in ``rep.json``."""

    def void_reasons(self) -> list[str]:
        """Why the work that was done makes a repetition void; blind to every metric."""


class Workload(Protocol):
    """One workload on one device; `remove` undoes what it did there, on every way out."""

    def install(self) -> None:
        """Bring to the device what it runs. UsageError for what the profile lacks."""

    def prepare(self) -> object:
        """Once a block, before the warm-up."""

    def reset(self) -> None:
        """Bring the device to the state that a cycle starts from; before the capture begins."""

    def cycle(self) -> object:
        """The measured work, and nothing else."""

    def result(self) -> Cycle:
        """What the last cycle came to; may still work on the device, after the capture.

        DataCorruption if a page was wrong.
        """

    def remove(self) -> None:
        """Undo what it did on the device; called on every way out."""
