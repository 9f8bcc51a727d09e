"""Which repetitions a block measures again, and which it counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from foundation.contract.device import Lane
from foundation.contract.losses import lost
from foundation.contract.records import BlockResult, PlannedBlock
from foundation.errors import CommandTimeout, KernelCrash
from harness.campaign.block import BlockRun, _new_record
from harness.campaign.host import Host
from harness.campaign.plan import Plan
from harness.campaign.repetition import Measured
from harness.campaign.store import Store

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


LATE = CommandTimeout("'am start' did not end within 90 s")


def _run(measured: list[Measured | CommandTimeout], log: str | None, *, emulated: bool) -> BlockResult:
    record, left = _new_record(), iter(measured)

    def measure(repetition: object, index: int) -> Measured:
        one = next(left)
        if isinstance(one, CommandTimeout):
            raise one
        return one

    run = BlockRun(
        lane=cast(Lane, SimpleNamespace(crash_log=lambda: log)),
        plan=cast(Plan, SimpleNamespace(reps=2)),
        block=cast(PlannedBlock, None),
        store=cast(Store, SimpleNamespace(start_repetition=lambda block, index: None)),
        phase=lambda phase, text=None: None,
        record=record,
        host=cast(Host, None),
    )
    run._measure_all(cast(Any, SimpleNamespace(measure=measure, device=SimpleNamespace(emulated=emulated))))
    return record


def test_a_late_command_on_a_phone_costs_its_repetition() -> None:
    record = _run([WHOLE, LATE, WHOLE], None, emulated=False)
    assert (record.reps, record.void_reps) == ((0, 2), {})
    assert record.attempts == (f"repetition 1: {LATE}",)
    assert all(gate.ok for gate in record.gates)
    late = _run([LATE, LATE, WHOLE, LATE], None, emulated=False)
    assert late.reps == (2,)
    assert not late.gates[0].ok


def test_a_late_command_of_a_crashed_kernel_is_a_crash() -> None:
    with pytest.raises(KernelCrash, match="the kernel crashed"):
        _run([WHOLE, LATE], "Kernel panic", emulated=False)


def test_a_late_order_on_a_virtual_device_is_a_device_that_hangs() -> None:
    with pytest.raises(CommandTimeout):
        _run([WHOLE, LATE], None, emulated=True)
