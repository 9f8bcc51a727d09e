"""One block: boot a variant, prove it, warm up, measure the repetitions, verify, restore."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from analysis.metrics import needs_of
from foundation.contract.device import Device, Expectation, Lane
from foundation.contract.records import BlockResult, Pin, PlannedBlock
from foundation.contract.threads import role_of
from foundation.contract.zram_identity import ZramIdentity, advice, objection, zram_of
from foundation.errors import (
    CommandTimeout,
    DeviceError,
    KernelCrash,
    KernelError,
    LabError,
    NotReady,
    StateError,
    SuiteError,
    UsageError,
    WrongKernel,
)
from harness.campaign.host import Host
from harness.campaign.phase import Phase, PhaseReporter
from harness.campaign.plan import Plan
from harness.campaign.repetition import Repetitions
from harness.campaign.rules import RETRIES_PER_REPETITION
from harness.campaign.store import Store
from harness.capture import reserve_buffer
from harness.capture.capture import LONGEST_S
from harness.device.identity import KernelIdentity, counter_moved, prove, read_identity
from harness.device.preconditions.block_preconditions import Preconditions, preconditions_of
from harness.device.preconditions.memory_pins import mglru_as_found
from harness.device.preconditions.pinned import PinnedState
from harness.device.zram_identity import read_engine, read_zram
from harness.variants.variant import refuse_engine, switches_of
from workloads.protocol import Workload

BLOCK_ATTEMPTS: Final = 2
#: A recording that is never stopped ends this many times the workload's length after its start.
LONGEST_FACTOR: Final = 2.0


def _new_record(attempts: tuple[str, ...] = ()) -> BlockResult:
    """The record of a block that starts now: valid until a check or the kernel fails."""
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
    lane: Lane,
    plan: Plan,
    block: PlannedBlock,
    store: Store,
    phase: PhaseReporter,
    host: Host | None = None,
) -> BlockResult:
    """Run ``block`` and store its result, which may be a failure of the kernel under test.

    A transient error of lab or device gets one more attempt from a fresh boot; a device that is not ready
    then makes the block void. Any other error leaves the block unfinished and is raised. The device is
    restored on every way out.
    """
    record = _new_record()
    for attempt in range(1, BLOCK_ATTEMPTS + 1):
        folder = store.start_block(block)
        try:
            BlockRun(lane, plan, block, store, phase, record, host or Host()).run()
            break
        except KernelError as error:
            _raise_end_behind(error)
            _kernel_result(record, error, lane, folder)
            break
        except (DeviceError, LabError) as error:
            _raise_end_behind(error)
            crash = _crash_behind(error, lane)
            if crash is not None:
                _kernel_result(record, crash, lane, folder)
                break
            if isinstance(error, NotReady) and attempt == BLOCK_ATTEMPTS:
                record.gate("preconditions", False, error.what)
                record.outcome = "void"
                break
            if not error.transient or attempt == BLOCK_ATTEMPTS:
                raise
            phase(Phase.VERIFY, f"{error}; trying this block again")
            record = _new_record((*record.attempts, str(error)))
            store.discard_attempt(block, attempt)
    record.ended_utc = _now_utc()
    store.finish_block(block, record)
    return record


def _raise_end_behind(error: SuiteError) -> None:
    """Raise the end of the run (Ctrl-C) on whose way out ``error`` occurred, if there is one."""
    behind: BaseException | None = error
    while behind is not None:
        if not isinstance(behind, Exception):
            raise behind
        behind = behind.__cause__ or behind.__context__


def _crash_behind(error: SuiteError, lane: Lane) -> KernelCrash | None:
    """The crash behind a device that is lost or does not answer, if its console shows one."""
    log = lane.crash_log()
    if log is None:
        return None
    return KernelCrash(f"{error.what}: the kernel crashed", log=log, device=error.device)


def _kernel_result(record: BlockResult, error: KernelError, lane: Lane, folder: Path) -> None:
    record.outcome = "kernel_failure"
    record.failure = f"{type(error).__name__}: {error}"
    (folder / "kernel.log").write_text(error.log or lane.console(), encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Booted:
    """A device that runs the block's variant: what proves that, and what was read."""

    device: Device
    expectation: Expectation
    identity: KernelIdentity


@dataclass(frozen=True)
class BlockRun:
    """One attempt at ``block``, which fills in ``record``."""

    lane: Lane
    plan: Plan
    block: PlannedBlock
    store: Store
    phase: PhaseReporter
    record: BlockResult
    host: Host

    def run(self) -> None:
        """Run the attempt; the device is restored on every way out.

        KernelError for a failure of the kernel; ``record`` holds why the block is void.
        """
        booted = self.boot()
        with PinnedState(booted.device) as state:
            try:
                conditions = self.prepare(booted.device, state)
                profile = self.plan.profile_of(self.block)
                workload = self.plan.kind.make(booted.device, profile, self.host, conditions.empty_swap)
                try:
                    self.measure(booted, workload, conditions)
                    self.verify(booted, state)
                finally:
                    workload.remove()
            finally:
                self.record.pins = msgspec.convert(state.record(), tuple[Pin, ...])
        log = self.lane.crash_log()
        if log is not None:
            raise KernelCrash(
                "the kernel reported a fault during the block", log=log, device=booted.device.serial
            )
        if self.record.void_reasons:
            self.record.outcome = "void"

    def boot(self) -> Booted:
        """Boot the variant and prove that it runs. BootFailed, ModuleLoadFailed, WrongKernel."""
        variant = self.plan.variant(self.block.variant)
        self.phase(Phase.BOOT, f"booting {variant.spec}")
        device, expectation = variant.boot(self.lane)
        identity = read_identity(device, expectation)
        prove(identity, expectation, device=device.serial)
        self.record.boot_id = identity.boot_id
        zram = read_zram(device)
        self.record.identity = {
            **identity.to_json(),
            "zram": msgspec.to_builtins(zram),
            "parts": self.lane.parts(),
        }
        self._check_parts()
        self._check_zram(zram)
        threads = ", ".join(sorted(identity.thread_names))
        self.record.gate("identity", True, f"{identity.release}, {threads}")
        return Booted(device, expectation, identity)

    def _check_parts(self) -> None:
        """UsageError if an earlier block of the variant was made of other parts."""
        parts = self.record.identity["parts"]
        for block in self.plan.blocks:
            if block.variant != self.block.variant or not self.store.finished(block):
                continue
            before = self.store.block_result(block).identity.get("parts", parts)
            changed = sorted(key for key in {*before, *parts} if before.get(key) != parts.get(key))
            if changed:
                raise UsageError(
                    f"{self.block.variant} is made of other parts than in {block.folder()}: "
                    f"{', '.join(changed)} changed",
                    next_step="start the campaign again in a new results folder",
                )

    def _check_zram(self, zram: ZramIdentity) -> None:
        """UsageError if this block and an earlier one of the other side could not be compared."""
        variants = {variant.name: variant for variant in self.plan.variant_records}
        baseline = next(iter(variants.values()))
        for block in self.plan.blocks:
            names = {block.variant, self.block.variant}
            if baseline.name not in names or len(names) == 1 or not self.store.finished(block):
                continue
            before = zram_of(self.store.block_result(block).identity)
            sides = {block.variant: before, self.block.variant: zram}
            (variant,) = (variants[name] for name in names - {baseline.name})
            why = objection(baseline, variant, sides[baseline.name], sides[variant.name])
            if why is not None:
                raise UsageError(f"{self.block.folder()}: {why}", next_step=advice(variant))

    def prepare(self, device: Device, state: PinnedState) -> Preconditions:
        """Set and check the preconditions; ``state`` records what was set. StateError."""
        self.phase(Phase.PINS)
        conditions = preconditions_of(
            device,
            self.plan.profile,
            self.plan.suppressed,
            reset_backed_zram=self.plan.reset_backed_zram,
            say=lambda text: self.phase(Phase.PINS, text),
            sleep=device.sleep,
            patient=bool(self.record.attempts) or any(map(self.store.finished, self.plan.blocks)),
        )
        self._keep_lru(device, state)
        conditions.establish(state)
        if not device.emulated:
            refuse_engine(self.plan.variants, read_engine(device))
        return conditions

    def _keep_lru(self, device: Device, state: PinnedState) -> None:
        """Pin an LRU that profile and variants leave open to that of the campaign's first block.

        A flag of a server may change it on a phone between two blocks. A block where it cannot be set is
        void.
        """
        if device.emulated or self.plan.profile.device.mglru is not None or "mglru" in self.plan.suppressed:
            return
        switched = {pin.path for variant in self.plan.variants for pin in switches_of(variant)}
        finished = (self.store.block_result(one) for one in self.plan.blocks if self.store.finished(one))
        pin = mglru_as_found(finished)
        if pin is None or pin.path in switched:
            return
        try:
            state.apply([pin])
        except StateError as error:
            self.record.gate("mglru", False, f"not as in the campaign's first block: {error.what}")

    def measure(self, booted: Booted, workload: Workload, conditions: Preconditions) -> None:
        """Install and warm up the workload, prove that the variant is in use, and measure.

        Void repetitions are measured again, within the limit of the void rules.
        """
        self.phase(Phase.PREPARE)
        workload.install()
        needs = needs_of(self.plan.metrics)
        with reserve_buffer(booted.device, needs, booted.device.sleep) as reservation:
            repetitions = Repetitions(
                lane=self.lane,
                device=booted.device,
                scenario=self.block.scenario,
                workload=workload,
                needs=needs,
                conditions=conditions,
                phase=self.phase,
                longest_s=max(LONGEST_S, LONGEST_FACTOR * self.plan.profile.switching_s),
                host=self.host,
                reservation=reservation,
                seed=self.block.seed,
            )
            before = read_identity(booted.device, booted.expectation)
            self.phase(Phase.PREPARE, self.plan.kind.warm_up)
            repetitions.warm_up()
            self._live_gate(booted, before)
            self._measure_all(repetitions)

    def verify(self, booted: Booted, state: PinnedState) -> None:
        """Check that settings have not drifted and no kernel thread died. KernelCrash."""
        self.phase(Phase.VERIFY)
        drifted = state.drifted()
        self.record.gate("pins", not drifted, "; ".join(drifted) or "as set")
        now = read_identity(booted.device, booted.expectation)
        lost = sorted(
            name
            for name in set(booted.identity.thread_names) - set(now.thread_names)
            if role_of(name) is not None
        )
        if lost:
            raise KernelCrash(
                f"kernel threads died during the block: {', '.join(lost)}",
                device=booted.device.serial,
                log="",
            )

    def _live_gate(self, booted: Booted, before: KernelIdentity) -> None:
        """Check that the warm-up moved the counter that only this variant has, and woke its thread.
        WrongKernel."""
        after = read_identity(booted.device, booted.expectation)
        # The preconditions came after the first proof.
        prove(after, booted.expectation, device=booted.device.serial)
        thread = booted.expectation.thread
        if thread is not None and thread not in after.thread_names:
            seen = ", ".join(after.thread_names) or "none"
            raise WrongKernel(
                f"no thread {thread} runs after the warm-up (threads seen: {seen})",
                device=booted.device.serial,
                next_step="check that there was reclaim (pswpout), and the name of the thread",
            )
        counter = booted.expectation.live_counter
        if counter is None:
            return
        if not counter_moved(before, after):
            raise WrongKernel(
                f"{counter} did not move during the warm-up: the variant is loaded but not in use",
                device=booted.device.serial,
                next_step="check that there was reclaim (pswpout) and that the variant is switched on",
            )
        self.record.gate("live counter", True, f"{counter}: {before.live_count} to {after.live_count}")

    def _costs_a_repetition(self, error: CommandTimeout, repetitions: Repetitions) -> bool:
        """Whether a command that was late on a phone leaves its block alone. KernelCrash."""
        if repetitions.device.emulated:
            # Nothing else runs there: an order that is late is a device that hangs.
            return False
        crash = _crash_behind(error, self.lane)
        if crash is not None:
            raise crash from error
        return True

    def _measure_all(self, repetitions: Repetitions) -> None:
        record, wanted = self.record, self.plan.reps
        index = whole = 0
        while whole < wanted and index - whole <= wanted * RETRIES_PER_REPETITION:
            try:
                measured = repetitions.measure(self.store.start_repetition(self.block, index), index)
            except CommandTimeout as error:
                if not self._costs_a_repetition(error, repetitions):
                    raise
                record.attempts += (f"repetition {index}: {error}",)
                self.phase(Phase.VERIFY, f"repetition {index}: not measured: {error}")
                index += 1
                continue
            if measured.void_reasons:
                record.void_reps[str(index)] = measured.void_reasons
            else:
                # One with losses counts for the metrics that they do not concern, and is measured again
                # for the others.
                record.reps += (index,)
                whole += not measured.losses
            index += 1
        valid = len(record.reps)
        record.gate("repetitions", valid >= wanted, f"{valid} of {wanted} valid")
