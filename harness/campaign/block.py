"""One block: boot a variant, prove it, warm up, measure m repetitions, verify, restore."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from foundation.contract.device import Device, Expectation, Lane
from foundation.contract.needs import Needs
from foundation.contract.threads import role_of
from foundation.errors import DeviceError, KernelCrash, KernelError, LabError, SuiteError, WrongKernel
from harness.campaign.host import Host
from harness.campaign.phase import Phase, Tell
from harness.campaign.plan import Plan
from harness.campaign.preconditions import Preconditions
from harness.campaign.repetition import condition, measure
from harness.campaign.rules import RETRIES_PER_REPETITION
from harness.campaign.schedule import PlannedBlock
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


@dataclass
class BlockRecord:
    """The making of ``block.json``."""

    plan: PlannedBlock
    outcome: str = "valid"
    void_reasons: list[str] = field(default_factory=list)
    failure: str | None = None
    boot_id: str = ""
    identity: dict[str, Any] = field(default_factory=dict)
    pins: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    reps: list[int] = field(default_factory=list)
    void_reps: dict[str, list[str]] = field(default_factory=dict)
    attempts: list[str] = field(default_factory=list)
    started_utc: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def gate(self, name: str, ok: bool, detail: str) -> None:
        """Note a check that was made, and void the block if it failed."""
        self.gates.append({"name": name, "ok": ok, "detail": detail})
        if not ok:
            self.void_reasons.append(f"{name}: {detail}")

    def to_json(self) -> dict[str, Any]:
        place = asdict(self.plan)
        rest = {key: value for key, value in vars(self).items() if key != "plan"}
        return {**place, **rest, "ended_utc": datetime.now(UTC).isoformat(timespec="seconds")}


def run_block(
    *,
    lane: Lane,
    plan: Plan,
    block: PlannedBlock,
    store: Store,
    needs: Needs,
    phase: Tell,
    host: Host | None = None,
) -> BlockRecord:
    """Run ``block`` to its end and store it; a failure of the kernel is stored as its result.

    Transient errors of lab or device are tried once more from a fresh boot; every other
    error leaves the block unfinished and is raised. The device is restored on every way out.
    """
    record = BlockRecord(block)
    for attempt in range(1, BLOCK_ATTEMPTS + 1):
        folder = store.start_block(block)
        try:
            _attempt(lane, plan, block, store, needs, phase, record, host or Host())
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
            record = BlockRecord(block, attempts=[*record.attempts, str(error)])
            store.discard_attempt(block, attempt)
    store.finish_block(block, record.to_json())
    return record


def _crash_behind(error: SuiteError, lane: Lane) -> KernelCrash | None:
    """A lost or mute device may be a dead kernel; its console decides."""
    log = lane.crash_log()
    if log is None:
        return None
    return KernelCrash(f"{error.what}: the kernel crashed", log=log, device=error.device)


def _kernel_result(record: BlockRecord, error: KernelError, lane: Lane, folder: Any) -> None:
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
    record: BlockRecord,
    host: Host,
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
            record.pins = state.record()
        workload = workload_named(plan.workload).make(device, plan.profile, host)
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
                    host,
                )
            phase(Phase.VERIFY)
            drifted = state.drifted()
            record.gate("pins", not drifted, "; ".join(drifted) or "as set")
            _alive_gate(device, identity, expectation)
        finally:
            workload.remove()
            record.pins = state.record()
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
    record: BlockRecord,
    workload: Workload,
    expectation: Expectation,
    room: TraceRoom | None,
    conditions: Preconditions,
    host: Host,
) -> None:
    before = read_identity(device, expectation)
    phase(Phase.PREPARE, workload_named(plan.workload).warm_up)
    workload.prepare()
    workload.reset()
    with condition(block.scenario, device, host):
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
            host=host,
        )
        if measured.void_reasons:
            record.void_reps[str(index)] = list(measured.void_reasons)
        else:
            record.reps.append(index)
        index += 1
    missing = plan.reps - len(record.reps)
    record.gate("repetitions", missing == 0, f"{len(record.reps)} of {plan.reps} valid")


def _live_gate(
    before: KernelIdentity,
    after: KernelIdentity,
    expectation: Expectation,
    record: BlockRecord,
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
