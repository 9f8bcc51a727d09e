"""Blocks side by side: each worker has a lane of its own, and takes the next block of the plan."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from foundation.contract.device import Lane
from foundation.contract.records import PlannedBlock
from foundation.errors import SuiteError


class AbortableLane(Lane, Protocol):
    """A lane whose device another thread can take away."""

    def abort(self) -> None:
        """End the device, and boot no other: whoever uses the lane gets a LabError."""
        ...


#: Runs one block on a lane to its stored result; raises what ends the campaign.
RunOn = Callable[[AbortableLane, PlannedBlock], None]


class Stopped(BaseException):
    """The run ends: what a worker does now must leave no result. No Exception, so that none handles it."""


class LaneBroken(SuiteError):
    """A lane failed in another block, with the cause."""

    blame = "lab"


class SideBySide:
    """Runs ``blocks`` in their order on ``lanes``, whose devices do not influence each other.

    Nothing runs before the first `wait`. After an error no block starts, and those that run go on to their
    end. Call `stop` on every way out.
    """

    def __init__(
        self, lanes: Sequence[AbortableLane], blocks: Sequence[PlannedBlock], run_on: RunOn
    ) -> None:
        self._lanes = lanes
        self._run_on = run_on
        self._waiting = deque(blocks)
        self._known = {block.index for block in blocks}
        self._running: set[int] = set()
        self._ended: dict[int, BaseException | None] = {}
        self._broken: tuple[PlannedBlock, BaseException] | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._workers: list[threading.Thread] = []

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: the devices end, and what workers see of them means nothing."""
        return self._stopping

    def knows(self, block: PlannedBlock) -> bool:
        """Whether ``block`` is one of these, which run here and nowhere else."""
        return block.index in self._known

    def wait(self, block: PlannedBlock) -> None:
        """Wait until ``block`` has ended, and raise its error; LaneBroken if it cannot start any more."""
        with self._changed:
            if block.index not in self._known:
                self._known.add(block.index)
                self._waiting.append(block)
            self._start_workers()
            self._changed.notify_all()
            while block.index not in self._ended:
                if self._broken is not None and block.index not in self._running:
                    where, cause = self._broken
                    raise LaneBroken(f"not run: {where.lane} broke in block {where.index + 1}: {cause}")
                self._changed.wait()
            error = self._ended[block.index]
        if error is not None:
            raise error

    def stop(self) -> None:
        """End the devices, and wait for the workers; may be called twice. The lanes are still to be closed.

        A block that has not ended leaves no result.
        """
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
        for lane in self._lanes:
            lane.abort()
        for worker in self._workers:
            worker.join()

    def _start_workers(self) -> None:
        if self._workers:
            return
        for number, lane in enumerate(self._lanes):
            # A daemon, so that a second Ctrl-C during `stop` ends the process; QEMU ends with it.
            worker = threading.Thread(target=self._work, args=(lane,), name=f"block-{number}", daemon=True)
            self._workers.append(worker)
            worker.start()

    def _work(self, lane: AbortableLane) -> None:
        while (block := self._next()) is not None:
            error: BaseException | None = None
            try:
                self._run_on(lane, block)
            except BaseException as raised:  # Raised again by `wait`, in the thread that asks.
                error = raised
            with self._changed:
                self._running.discard(block.index)
                self._ended[block.index] = error
                if error is not None:
                    self._broken = self._broken or (block, error)
                    self._waiting.clear()
                self._changed.notify_all()

    def _next(self) -> PlannedBlock | None:
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return None
                self._changed.wait()
            block = self._waiting.popleft()
            self._running.add(block.index)
            return block
