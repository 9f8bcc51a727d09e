"""One block: boot a variant, prove it, warm up, measure m repetitions, verify, restore."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from foundation.contract.device import Device, Expectation, Lane
from foundation.contract.needs import Needs
from foundation.contract.records import BlockResult, Pin, PlannedBlock
from foundation.contract.threads import role_of
from foundation.errors import DeviceError, KernelCrash, KernelError, LabError, SuiteError, WrongKernel
from harness.campaign.phase import Phase, Tell
from harness.campaign.plan import Plan
from harness.campaign.preconditions import Preconditions
from harness.campaign.repetition import condition, measure
from harness.campaign.rules import RETRIES_PER_REPETITION
from harness.campaign.store import Store
from harness.campaign.workloads import workload_named
from harness.capture import TraceRoom, room_for
from harness.device.identity import (
    KernelIdentity,
    counter_moved,
    prove,
    read_identity,
)
from harness.device.preconditions import PinnedState
from workloads.protocol import Workload

BLOCK_ATTEMPTS = 2


def _begun(attempts: tuple[str, ...] = ()) -> BlockResult:
    """The record of a block that begins now: valid until something says otherwise."""
    return BlockResult(
        outcome="valid",
        void_reasons=(),
        failure=None,
        started_utc=_now_utc(),
        ended_utc="",
        boot_id="",
        identity={},
        pins=(),
        gates=(),
        reps=(),
        void_reps={},
        attempts=attempts,
    )


def _now_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_block(
    *, lane: Lane, plan: Plan, block: PlannedBlock, store: Store, needs: Needs, phase: Tell
) -> BlockResult:
    """Run ``block`` to its end and store it; a failure of the kernel is stored as its result.

    Transient errors of lab or device are tried once more from a fresh boot; every other
    error leaves the block unfinished and is raised. The device is restored on every way out.
    """
    record = _begun()
    for attempt in range(1, BLOCK_ATTEMPTS + 1):
        folder = store.start_block(block)
        try:
            _attempt(lane, plan, block, store, needs, phase, record)
            break
        except KernelError as error:
            _kernel_result(record, error, lane, folder)
            break
        except (DeviceError, LabError) as error:
            crash = _crash_behind(error, lane)
            if crash is not None:
                _kernel_result(record, crash, lane, folder)
                break
            if not error.transient or attempt == BLOCK_ATTEMPTS:
                raise
            phase(Phase.VERIFY, f"{error}; trying this block once more")
            record = _begun((*record.attempts, str(error)))
            store.discard_attempt(block, attempt)
    record.ended_utc = _now_utc()
    store.finish_block(block, record)
    return record


def _crash_behind(error: SuiteError, lane: Lane) -> KernelCrash | None:
    """A lost or mute device may be a dead kernel; its console decides."""
    log = lane.crash_log()
    if log is None:
        return None
    return KernelCrash(f"{error.what}: the kernel crashed", log=log, device=error.device)


def _kernel_result(record: BlockResult, error: KernelError, lane: Lane, folder: Any) -> None:
    record.outcome = "kernel_failure"
    record.failure = f"{type(error).__name__}: {error}"
    (folder / "kernel.log").write_text(error.log or lane.console(), encoding="utf-8", errors="replace")


def _attempt(
    lane: Lane,
    plan: Plan,
    block: PlannedBlock,
    store: Store,
    needs: Needs,
    phase: Tell,
    record: BlockResult,
) -> None:
    variant = plan.variant(block.variant)
    phase(Phase.BOOT, f"booting {variant.spec}")
    device = lane.boot(variant)
    expectation = lane.expectation(variant)
    identity = read_identity(device, expectation)
    prove(identity, expectation, device=device.serial)
    record.boot_id = identity.boot_id
    record.identity = identity.to_json()
    record.gate("identity", True, f"{identity.release}, {', '.join(sorted(identity.thread_names))}")
    phase(Phase.PINS)
    conditions = Preconditions(
        device, plan.profile, plan.suppressed, say=lambda text: phase(Phase.PINS, text)
    )
    with PinnedState(device) as state:
        try:
            conditions.establish(state)
        finally:
            record.pins = msgspec.convert(state.record(), tuple[Pin, ...])
        workload = workload_named(plan.workload).make(device, plan.profile)
        phase(Phase.PREPARE)
        try:
            workload.install()
            with room_for(device, needs) as room:
                _measure_all(
                    lane,
                    device,
                    plan,
                    block,
                    store,
                    needs,
                    phase,
                    record,
                    workload,
                    expectation,
                    room,
                    conditions,
                )
            phase(Phase.VERIFY)
            drifted = state.drifted()
            record.gate("pins", not drifted, "; ".join(drifted) or "as set")
            _alive_gate(device, identity, expectation)
        finally:
            workload.remove()
            record.pins = msgspec.convert(state.record(), tuple[Pin, ...])
    log = lane.crash_log()
    if log is not None:
        raise KernelCrash("the kernel reported a fault during the block", log=log, device=device.serial)
    if record.void_reasons:
        record.outcome = "void"


def _measure_all(
    lane: Lane,
    device: Device,
    plan: Plan,
    block: PlannedBlock,
    store: Store,
    needs: Needs,
    phase: Tell,
    record: BlockResult,
    workload: Workload,
    expectation: Expectation,
    room: TraceRoom | None,
    conditions: Preconditions,
) -> None:
    before = read_identity(device, expectation)
    phase(Phase.PREPARE, workload_named(plan.workload).warm_up)
    workload.prepare()
    workload.reset()
    with condition(block.scenario, device):
        workload.cycle()
    workload.result()
    _live_gate(before, read_identity(device, expectation), expectation, record, device)
    index = 0
    allowed_voids = plan.reps * RETRIES_PER_REPETITION
    while len(record.reps) < plan.reps and len(record.void_reps) <= allowed_voids:
        measured = measure(
            lane=lane,
            device=device,
            scenario=block.scenario,
            workload=workload,
            needs=needs,
            repetition=store.start_repetition(block, index),
            index=index,
            phase=phase,
            room=room,
            conditions=conditions,
        )
        if measured.void_reasons:
            record.void_reps[str(index)] = measured.void_reasons
        else:
            record.reps += (index,)
        index += 1
    missing = plan.reps - len(record.reps)
    record.gate("repetitions", missing == 0, f"{len(record.reps)} of {plan.reps} valid")


def _live_gate(
    before: KernelIdentity,
    after: KernelIdentity,
    expectation: Expectation,
    record: BlockResult,
    device: Device,
) -> None:
    """The warm-up must have moved the counter that only this variant has."""
    if expectation.live_counter is None:
        return
    if not counter_moved(before, after):
        raise WrongKernel(
            f"{expectation.live_counter} did not move in the warm-up: the variant is loaded but not in use",
            device=device.serial,
            next_step="check that reclaim really happened (pswpout) and that the variant is switched on",
        )
    record.gate(
        "live counter", True, f"{expectation.live_counter}: {before.live_count} to {after.live_count}"
    )


def _alive_gate(device: Device, before: KernelIdentity, expectation: Expectation) -> None:
    """Reclaim and compression threads of the start must still be there."""
    after = read_identity(device, expectation)
    lost = sorted(
        name for name in set(before.thread_names) - set(after.thread_names) if role_of(name) is not None
    )
    if lost:
        raise KernelCrash(
            f"kernel threads died during the block: {', '.join(lost)}", device=device.serial, log=""
        )
