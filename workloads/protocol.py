"""The interface between a campaign and any workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from foundation.contract.device import Device
from workloads.order import Order, run
from workloads.switches import Switch


class Cycle(Protocol):
    """The result of one cycle; pages are the device's, of whatever size."""

    @property
    def switches(self) -> Sequence[Switch]:
        """App switches; empty for a workload without any."""

    @property
    def kills(self) -> int:
        """Number of the workload's processes that the device killed; of all others a `KillWatch` tells."""

    @property
    def pages_verified(self) -> int:
        """Number of pages read and compared with what was written."""

    @property
    def mismatches(self) -> int:
        """Always 0: a wrong page raises DataCorruption."""

    def with_trace(self, births: Mapping[int, int]) -> Cycle:
        """This cycle with what its trace shows.

        ``births`` is when each process was created, CLOCK_BOOTTIME ns by pid, empty if not recorded.
        """

    def to_json_lines(self) -> str:
        """The content of ``workload.jsonl``."""

    def facts(self) -> Mapping[str, Any]:
        """This workload's own keys of ``rep.json``."""

    def void_reasons(self) -> list[str]:
        """Why the work done makes a repetition void; independent of every metric."""


class Workload(Protocol):
    """One workload on one device; `remove` undoes what it did there, on every way out.

    A cycle is `reset`, `order`, the run of that text on the device, `take`, `result`. What is sent to
    the device depends on the profile and on the device's answers only: no host clock, no randomness but
    the profile's seed, no loop that polls the device.
    """

    def install(self) -> None:
        """Install on the device what the workload runs. UsageError for what the profile lacks."""

    def prepare(self) -> object:
        """Prepare a block, before its warm-up."""

    def reset(self) -> None:
        """Bring the device to the initial state of a cycle, before the capture starts."""

    def order(self) -> Order:
        """The measured work of the cycle that begins, and nothing else, as one order to the device."""

    def take(self, output: str) -> None:
        """Take what that order printed. DeviceError if the work was not done."""

    def result(self) -> Cycle:
        """The result of the last cycle; may use the device, as the capture has ended.

        DataCorruption if a page was wrong.
        """

    def remove(self) -> None:
        """Undo every change to the device; called on every way out."""


def run_cycle(device: Device, workload: Workload) -> None:
    """Run the next cycle of ``workload`` without recording it; `Workload.result` is left to the caller.

    What running the order and `Workload.take` raise.
    """
    workload.take(run(device, workload.order()))
