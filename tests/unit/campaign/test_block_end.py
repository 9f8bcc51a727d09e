"""How a block ends: Ctrl-C ends a run, and a device that is not ready costs the block alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from foundation.contract.records import BlockResult, PlannedBlock
from foundation.errors import DeviceLost, NotReady, StateError, SuiteError
from harness.campaign.block import BLOCK_ATTEMPTS, BlockRun, _raise_end_behind, run_block


def lost_while(first: BaseException) -> SuiteError:
    try:
        try:
            raise first
        finally:
            raise DeviceLost("the device did not answer while its settings were restored")
    except DeviceLost as error:
        return error


def test_an_error_on_the_way_out_does_not_swallow_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        _raise_end_behind(lost_while(KeyboardInterrupt()))


def test_an_error_behind_an_error_is_one() -> None:
    _raise_end_behind(lost_while(DeviceLost("the cable is out")))
    _raise_end_behind(DeviceLost("the cable is out"))


class Stored:
    """A results folder that keeps the record of one block, and a lane without a crash."""

    record: BlockResult | None = None

    def start_block(self, block: PlannedBlock) -> Path:
        return Path("block")

    def discard_attempt(self, block: PlannedBlock, attempt: int) -> None:
        pass

    def finish_block(self, block: PlannedBlock, record: BlockResult) -> None:
        self.record = record

    def crash_log(self) -> None:
        return None


def run(monkeypatch: pytest.MonkeyPatch, *ends: SuiteError | None) -> tuple[Stored, int]:
    """One block whose attempts end so; what is stored, and how many there were."""
    left, stored = list(ends), Stored()

    def attempt(self: BlockRun) -> None:
        if error := left.pop(0):
            raise error

    monkeypatch.setattr(BlockRun, "run", attempt)
    block = PlannedBlock(0, 0, 0, "idle", "baseline", "phone-0")
    anything = cast(Any, stored)
    run_block(anything, cast(Any, None), block, anything, lambda phase, text=None: None)
    return stored, len(ends) - len(left)


def test_a_device_that_is_not_ready_twice_makes_the_block_void(monkeypatch: pytest.MonkeyPatch) -> None:
    why = NotReady("swap in use at the start: wanted at most 5% of the swap, read back 9 of 10 kB")
    stored, attempts = run(monkeypatch, *[why] * BLOCK_ATTEMPTS)
    assert attempts == BLOCK_ATTEMPTS
    assert stored.record is not None
    assert stored.record.outcome == "void"
    assert stored.record.void_reasons == (f"preconditions: {why.what}",)
    assert stored.record.attempts == (str(why),)


def test_a_device_that_is_ready_at_the_second_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, _ = run(monkeypatch, NotReady("zram0: 'swapoff' failed"), None)
    assert stored.record is not None
    assert stored.record.outcome == "valid"


def test_a_setting_that_cannot_be_set_ends_the_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StateError, match="no such compressor"):
        run(monkeypatch, StateError("no such compressor"))
