"""A campaign whose blocks run side by side: results, resuming, failures, and the end of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation.contract.device import Lane
from foundation.contract.records import BlockResult, PlannedBlock
from foundation.errors import CommandTimeout, DeviceError, DeviceLost, LabError, StateError, UsageError
from harness.campaign import session as session_module
from harness.campaign.block import _new_record
from harness.campaign.lanes import side_by_side
from harness.campaign.merging import settings_of
from harness.campaign.phase import Phase, PhaseReporter
from harness.campaign.plan import Plan
from harness.campaign.session import CampaignSession, plan_of
from harness.campaign.settings import Settings
from harness.campaign.side_by_side import LaneBroken
from harness.campaign.store import Store
from harness.campaign.terminal.lines import Lines
from tests.unit.campaign.test_side_by_side import DEADLINE_S, FakeLane, until


def settings(folder: Path, **given: Any) -> Settings:
    common = {"pairs": 2, "seed": 9, "virtual_parallel": 3, "results": folder / "results"}
    return settings_of({**common, **given})


class Bench:
    """A session on fake lanes; the blocks of ``held`` work until they are let go."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        self.lanes: list[FakeLane] = []
        self.begun: list[int] = []
        self.held: set[int] = set()
        self.errors: dict[int, Exception] = {}
        self.outcomes: dict[int, str] = {}
        self.lines: list[str] = []
        self.estimates: list[int] = []
        chosen = settings(folder, **given)
        monkeypatch.setattr(session_module, "open_virtual_lanes", self.open)
        monkeypatch.setattr(session_module, "run_block", self.run_block)
        monkeypatch.setattr(session_module, "interim", self.interim)
        self.session = CampaignSession(chosen, plan_of(chosen), Lines(self.lines.append))
        self.blocks = self.session.blocks

    def open(self, settings: Settings, plan: Plan, count: int, write: Callable[[str], None]) -> list[Any]:
        self.lanes = [FakeLane() for _ in range(count)]
        return self.lanes

    def interim(self, root: Path, progress: Callable[[str], None]) -> tuple[()]:
        self.estimates.append(len(list(root.glob("blocks/*/block.json"))))
        return ()

    def run_block(
        self, lane: Lane, plan: Plan, block: PlannedBlock, store: Store, phase: PhaseReporter
    ) -> BlockResult:
        assert isinstance(lane, FakeLane)
        self.begun.append(block.index)
        store.start_block(block)
        phase(Phase.BOOT, "booting")
        end = time.monotonic() + DEADLINE_S
        while block.index in self.held:
            assert time.monotonic() < end
            if lane.aborted.is_set():
                raise DeviceLost("the machine was ended from outside")
            time.sleep(0.005)
        if block.index in self.errors:
            raise self.errors[block.index]
        record = _new_record()
        record.outcome = self.outcomes.get(block.index, "valid")  # type: ignore[assignment]
        store.finish_block(block, record)
        return record

    def finished(self) -> list[int]:
        return [block.index for block in self.blocks if self.session.store.finished(block)]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.held.clear()
    made.session.close()


def test_every_block_has_its_own_result_and_each_pair_one_estimate(bench: Bench) -> None:
    bench.outcomes = {2: "void", 5: "kernel_failure"}
    bench.session.expect(bench.blocks)
    outcomes = [bench.session.run(block).outcome for block in bench.blocks]
    assert outcomes == [bench.outcomes.get(block.index, "valid") for block in bench.blocks]
    assert sorted(bench.begun) == list(range(8))
    assert len(bench.lanes) == 3
    assert len(bench.estimates) == 4
    assert {line for line in bench.lines if line.endswith("kernel failure")} == {
        line for line in bench.lines if line.startswith("  [6] ") and line.endswith("kernel failure")
    }, "lines say whose they are"
    assert bench.session.progress.outcomes == {"valid": 6, "void": 1, "kernel_failure": 1}


def test_only_blocks_that_will_be_asked_for_run_ahead(bench: Bench) -> None:
    bench.session.expect(bench.blocks[4:6])
    for block in bench.blocks[4:6]:
        bench.session.run(block)
    assert sorted(bench.begun) == [4, 5]


def test_finished_blocks_do_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Bench(tmp_path, monkeypatch)
    first.session.expect(first.blocks[:2])
    for block in first.blocks[:2]:
        first.session.run(block)
    first.session.close()
    second = Bench(tmp_path, monkeypatch)
    second.session.expect(second.blocks)
    for block in second.blocks:
        second.session.run(block)
    second.session.close()
    assert sorted(second.begun) == list(range(2, 8))
    assert len(second.estimates) == 3


def test_the_end_of_a_run_leaves_what_is_whole(bench: Bench) -> None:
    bench.held = {1, 2, 3}
    bench.session.expect(bench.blocks)
    bench.session.run(bench.blocks[0])
    until(lambda: len(bench.begun) == 4)
    bench.session.close()
    assert bench.finished() == [0]
    assert all(lane.aborted.is_set() for lane in bench.lanes)
    assert not [line for line in bench.lines if line.startswith("error")], "nothing broke"
    assert not [one for one in threading.enumerate() if one.name.startswith("block-")]


def test_a_broken_lane_fails_its_block_and_later_ones_do_not_start(bench: Bench) -> None:
    bench.held = {1, 2}
    bench.errors = {0: LabError("no emulator")}
    bench.session.expect(bench.blocks)
    with pytest.raises(LabError, match="no emulator"):
        bench.session.run(bench.blocks[0])
    bench.held = set()
    for block in bench.blocks[1:]:
        if block.index in bench.begun:
            assert bench.session.run(block).outcome == "valid"
        else:
            with pytest.raises(LaneBroken, match="not run: virtual-0 broke in block 1: no emulator"):
                bench.session.run(block)
    assert len(bench.begun) <= 3


def test_lanes_that_cannot_be_opened_are_tried_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(*_: object) -> list[FakeLane]:
        tries.append(1)
        raise LabError("no QEMU")

    monkeypatch.setattr(session_module, "open_virtual_lanes", fail)
    with pytest.raises(LabError, match="no QEMU"):
        bench.session.run(bench.blocks[0])
    with pytest.raises(LaneBroken, match="broke earlier: no QEMU"):
        bench.session.run(bench.blocks[1])
    assert len(tries) == 1


def test_how_many_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr("harness.campaign.lanes._available_mb", lambda: 64_000)
    assert side_by_side(settings(tmp_path, virtual_parallel=None)) == 4
    monkeypatch.setattr("harness.campaign.lanes._available_mb", lambda: 2_000)
    assert side_by_side(settings(tmp_path, virtual_parallel=None)) == 2
    monkeypatch.setattr("harness.campaign.lanes._available_mb", lambda: 100)
    assert side_by_side(settings(tmp_path, virtual_parallel=None)) == 1
    assert side_by_side(settings(tmp_path, virtual_parallel=7)) == 7
    by_host = {"virtual_clock": "host"}
    assert side_by_side(settings(tmp_path, virtual_parallel=None, **by_host)) == 1
    assert side_by_side(settings(tmp_path, virtual_parallel=1, **by_host)) == 1
    with pytest.raises(UsageError, match=r"--virtual-parallel 2: by the host's clock .* disturb"):
        plan_of(settings(tmp_path, virtual_parallel=2, **by_host))


def one_lane(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(folder, monkeypatch, virtual_parallel=1)
    monkeypatch.setattr(
        session_module, "open_lane", lambda *given: made.open(given[0], given[1], 1, print)[0]
    )
    made.session.expect(made.blocks)
    return made


def test_a_refused_or_late_command_costs_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = one_lane(tmp_path, monkeypatch)
    bench.errors = {0: StateError("refused"), 2: CommandTimeout("late")}
    for block in bench.blocks:
        if block.index in bench.errors:
            with pytest.raises(DeviceError):
                bench.session.run(block)
        else:
            assert bench.session.run(block).outcome == "valid"
    assert bench.finished() == [1, *range(3, 8)]
    bench.session.close()


def test_the_same_again_ends_the_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = one_lane(tmp_path, monkeypatch)
    bench.errors = {0: StateError("refused"), 1: StateError("refused again")}
    for block in bench.blocks[:2]:
        with pytest.raises(StateError):
            bench.session.run(block)
    with pytest.raises(LaneBroken, match="broke earlier: refused again"):
        bench.session.run(bench.blocks[2])
    bench.session.close()
