"""One measured cycle: capture on, workload, capture off, verified, stored whole or not at all."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from foundation.contract.arch import arch_of
from foundation.contract.device import Device, Lane
from foundation.contract.needs import Needs
from foundation.contract.records import RepetitionRecord, TraceRecord
from foundation.contract.results import TRACE_FILE
from harness.campaign.host import Host
from harness.campaign.phase import Phase, PhaseReporter
from harness.campaign.rules import host_reasons
from harness.campaign.store import Repetition
from harness.capture import (
    BufferReservation,
    Capture,
    HostLoad,
    RawCapture,
)
from harness.capture.validity import throttle_reasons
from harness.device.preconditions.block_preconditions import Preconditions
from workloads.burner import CpuBurner, RealTime
from workloads.protocol import Workload

# The trace buffers take memory, and reclaim makes room for them: that is not the workload's.
SETTLE_S: Final = 1.0


def real_time(scenario: str) -> RealTime | None:
    """The real-time threads of a scenario with a burner; None for one at normal nice."""
    return RealTime() if scenario == "rt-busy" else None


@dataclass(frozen=True)
class Repetitions:
    """Runs and stores repetitions of one scenario, each in the memory that ``reservation`` holds.

    A recording that nobody stops ends by itself after ``longest_s``.
    """

    lane: Lane
    device: Device
    scenario: str
    workload: Workload
    needs: Needs
    conditions: Preconditions
    phase: PhaseReporter
    longest_s: float
    host: Host
    reservation: BufferReservation | None = None

    def condition(self) -> contextlib.AbstractContextManager[object]:
        """The CPU condition of the scenario.

        Nothing for ``idle``; a burner on every CPU for ``busy``, one of real-time threads for ``rt-busy``.
        """
        if self.scenario == "idle":
            return contextlib.nullcontext()
        program = self.host.program("burner", arch_of(self.device))
        return CpuBurner(self.device, program, self.host.sleep, realtime=real_time(self.scenario))

    def warm_up(self) -> None:
        """One cycle under the CPU condition of the scenario, without a recording."""
        self.workload.prepare()
        self.workload.reset()
        with self.condition():
            self.workload.cycle()
        self.workload.result()

    def measure(self, repetition: Repetition, index: int) -> tuple[str, ...]:
        """Run and store one repetition; why it is void, empty if it is valid.

        It begins when the preconditions hold, and is void if they did not until its end. Device side
        effects (burner, capture) are undone on every way out. On an exception nothing of the
        repetition stays; one that ran to its end is always kept.
        """
        try:
            started = datetime.now(UTC)
            self.conditions.before()
            self.phase(Phase.CAPTURE, f"repetition {index}: {self.scenario}")
            self.workload.reset()
            raw, host = self._record(repetition.folder)
            self.phase(Phase.VERIFY)
            throttled = [*self.conditions.after()]
            if self.conditions.watches_throttling:
                throttled += throttle_reasons(raw.begin, raw.between, raw.end)
            cycle = self.workload.result()
            report = self.host.assemble(raw, cycle.switches, repetition.folder / TRACE_FILE)
            cycle = cycle.with_trace(report.marks, report.births)
            (repetition.folder / "workload.jsonl").write_text(cycle.to_json_lines(), encoding="utf-8")
            reasons = (
                *report.loss,
                *report.void_reasons,
                *host_reasons(host, emulated=self.lane.emulated),
                *throttled,
                *cycle.void_reasons(),
            )
            record = RepetitionRecord(
                index=index,
                valid=not reasons,
                void_reasons=reasons,
                started_utc=started.isoformat(timespec="seconds"),
                window_ns=report.window_ns,
                trace=TraceRecord(report.sha256, report.bytes, report.backend),
                host=host,
                thread_names=report.thread_names,
                switches=len(cycle.switches),
                kills=cycle.kills,
                pages_verified=cycle.pages_verified,
                mismatches=cycle.mismatches,
            )
            repetition.commit(record, {**cycle.facts(), **self.conditions.record()})
        except BaseException:
            repetition.abandon()
            raise
        if reasons:
            self.phase(Phase.VERIFY, f"repetition {index}: VOID: {'; '.join(reasons)}")
        return reasons

    def _record(self, folder: Path) -> tuple[RawCapture, dict[str, float | None]]:
        """One cycle with its recording, and the load of the host meanwhile."""
        capture = Capture(
            self.device,
            self.needs,
            folder,
            reservation=self.reservation,
            longest_s=self.longest_s,
            progress=lambda text: self.phase(Phase.PULL, text),
            program=self.host.program,
        )
        load = HostLoad(device_cpu_s=self.lane.device_cpu_s, own_pid=os.getpid())
        # Around the CPU condition: what it sets up and takes down rewrites code of the kernel, which
        # is safest while little runs, and the buffers are read faster by an idle device.
        capture.start()
        try:
            with self.condition():
                self.host.sleep(SETTLE_S)
                capture.mark_begin()
                load.start()
                self.workload.cycle()
                host = load.stop()
                capture.mark_end()
        except BaseException:
            capture.cancel()
            raise
        self.phase(Phase.PULL)
        return capture.stop(), host
