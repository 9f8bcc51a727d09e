"""Blocks side by side: who runs what, errors, and the end of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from foundation.contract.records import PlannedBlock
from foundation.errors import DeviceLost, LabError
from harness.campaign.schedule import schedule
from harness.campaign.side_by_side import AbortableLane, LaneBroken, SideBySide, Stopped

BLOCKS = schedule(("a", "b"), ("idle",), 4, 1, ("virtual-0",))
DEADLINE_S = 30.0


class FakeLane:
    """A lane whose device is an event: it works until it is let go or taken away."""

    name = "virtual-0"
    emulated = True
    host_time = False

    def __init__(self) -> None:
        self.aborted = threading.Event()
        self.ran: list[int] = []

    def abort(self) -> None:
        self.aborted.set()

    def crash_log(self) -> str | None:
        return None

    def console(self) -> str:
        return ""

    def device_cpu_s(self) -> float | None:
        return None

    def parts(self) -> dict[str, str]:
        return {}

    def describe(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        pass


class Bench:
    """Two lanes, and blocks that end when a test says so."""

    def __init__(self) -> None:
        self.lanes = [FakeLane(), FakeLane()]
        self.begun: list[int] = []
        self.results: list[int] = []
        self.go = {block.index: threading.Event() for block in BLOCKS}
        self.errors: dict[int, BaseException] = {}
        self.runner = SideBySide(self.lanes, BLOCKS, self.run_on)

    def run_on(self, lane: AbortableLane, block: PlannedBlock) -> None:
        assert isinstance(lane, FakeLane)
        self.begun.append(block.index)
        lane.ran.append(block.index)
        until = time.monotonic() + DEADLINE_S
        while not self.go[block.index].wait(0.005):
            assert time.monotonic() < until
            if lane.aborted.is_set():
                raise Stopped if self.runner.stopping else DeviceLost("gone")
        if block.index in self.errors:
            raise self.errors[block.index]
        self.results.append(block.index)

    def let_go(self, *indices: int) -> None:
        for index in indices:
            self.go[index].set()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.runner.stop()


def test_nothing_runs_before_it_is_asked_for(bench: Bench) -> None:
    time.sleep(0.05)
    assert bench.begun == []
    assert threading.active_count() < 20


def test_the_next_blocks_run_ahead_one_on_each_lane(bench: Bench) -> None:
    bench.let_go(0)
    bench.runner.wait(BLOCKS[0])
    until(lambda: sorted(bench.begun) == [0, 1, 2])
    time.sleep(0.05)
    assert sorted(bench.begun) == [0, 1, 2], "no more than there are lanes"
    bench.let_go(*range(8))
    for block in BLOCKS:
        bench.runner.wait(block)
    assert sorted(bench.results) == list(range(8))
    assert sorted(bench.begun) == list(range(8)), "each once"
    assert all(lane.ran == sorted(lane.ran) for lane in bench.lanes)


def test_a_later_block_may_end_first(bench: Bench) -> None:
    bench.let_go(1)
    waiting = threading.Thread(target=bench.runner.wait, args=(BLOCKS[0],))
    waiting.start()
    until(lambda: bench.results == [1])
    assert waiting.is_alive()
    bench.let_go(0)
    waiting.join(DEADLINE_S)
    bench.runner.wait(BLOCKS[1])
    assert bench.results == [1, 0]


def test_a_block_that_nobody_expected_runs_after_the_others() -> None:
    bench = Bench()
    bench.runner = SideBySide(bench.lanes, BLOCKS[:1], bench.run_on)
    bench.let_go(*range(8))
    assert not bench.runner.knows(BLOCKS[5])
    bench.runner.wait(BLOCKS[5])
    bench.runner.stop()
    assert sorted(bench.results) == [0, 5]


def test_after_an_error_nothing_starts_and_what_runs_goes_on(bench: Bench) -> None:
    bench.errors[0] = LabError("no emulator")
    bench.let_go(2)
    ahead = SideBySide(bench.lanes, BLOCKS[2:3] + BLOCKS[:2] + BLOCKS[3:], bench.run_on)
    ahead.wait(BLOCKS[2])
    until(lambda: sorted(bench.begun) == [0, 1, 2])
    bench.let_go(0)
    with pytest.raises(LabError, match="no emulator"):
        ahead.wait(BLOCKS[0])
    bench.let_go(1)
    ahead.wait(BLOCKS[1])
    assert bench.results == [2, 1]
    with pytest.raises(LaneBroken, match="not run: virtual-0 broke in block 1: no emulator"):
        ahead.wait(BLOCKS[7])
    ahead.stop()
    assert sorted(bench.begun) == [0, 1, 2]


def test_the_end_of_a_run_takes_the_devices_away_and_leaves_no_result(bench: Bench) -> None:
    bench.let_go(0)
    bench.runner.wait(BLOCKS[0])
    until(lambda: len(bench.begun) == 3)
    bench.runner.stop()
    assert bench.results == [0]
    assert all(lane.aborted.is_set() for lane in bench.lanes)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("block-")]
    bench.runner.stop()
    bench.let_go(*range(8))
    time.sleep(0.05)
    assert bench.results == [0]
