"""Which repetitions a block measures again, and which it counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from foundation.contract.losses import lost
from harness.campaign.block import BlockRun, _new_record
from harness.campaign.repetition import Measured

WHOLE = Measured(())
VOID = Measured(("the host was busy",))
LOSSY = Measured((), (lost("7 events overwritten", {"events"}),))


@pytest.mark.parametrize(
    ("measured", "reps", "void", "ok"),
    [
        ([WHOLE, WHOLE], (0, 1), {}, True),
        ([WHOLE, VOID, WHOLE], (0, 2), {"1": VOID.void_reasons}, True),
        # It counts for what it did not lose, and another one is measured for the rest.
        ([LOSSY, WHOLE, WHOLE], (0, 1, 2), {}, True),
        ([LOSSY, LOSSY, WHOLE, LOSSY], (0, 1, 2, 3), {}, True),
        ([VOID, LOSSY, VOID], (1,), {"0": VOID.void_reasons, "2": VOID.void_reasons}, False),
    ],
)
def test_what_is_measured_again(
    measured: list[Measured], reps: tuple[int, ...], void: dict[str, tuple[str, ...]], ok: bool
) -> None:
    record, left = _new_record(), iter(measured)
    stub = SimpleNamespace(
        record=record,
        plan=SimpleNamespace(reps=2),
        block=None,
        store=SimpleNamespace(start_repetition=lambda block, index: None),
    )
    repetitions: Any = SimpleNamespace(measure=lambda repetition, index: next(left))
    BlockRun._measure_all(cast(BlockRun, stub), repetitions)
    assert next(left, None) is None
    assert (record.reps, record.void_reps) == (reps, void)
    (gate,) = record.gates
    assert gate.ok is ok
