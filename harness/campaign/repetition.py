"""One measured cycle: start the capture, run the workload, stop, verify, store all of it or nothing."""

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
from harness.capture import BufferReservation, Capture, HostLoad, RawCapture
from harness.capture.validity import throttle_reasons
from harness.device.preconditions.block_preconditions import Preconditions
from workloads.burner import CpuBurner, RealTime
from workloads.protocol import Workload

#: Wait for the reclaim that makes room for the trace buffers: it is not the workload's.
SETTLE_S: Final = 1.0


@dataclass(frozen=True)
class Repetitions:
    """Runs and stores repetitions of one scenario; trace buffers use the memory that ``reservation`` holds.

    A recording that is never stopped ends by itself after ``longest_s``.
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

        None for ``idle``, a burner on every CPU for ``busy``, with real-time threads for ``rt-busy``.
        """
        if self.scenario == "idle":
            return contextlib.nullcontext()
        program = self.host.program("burner", arch_of(self.device))
        realtime = RealTime() if self.scenario == "rt-busy" else None
        return CpuBurner(self.device, program, self.host.sleep, realtime=realtime)

    def warm_up(self) -> None:
        """Run one cycle under the CPU condition of the scenario, without recording."""
        self.workload.prepare()
        self.workload.reset()
        with self.condition():
            self.workload.cycle()
        self.workload.result()

    def measure(self, repetition: Repetition, index: int) -> tuple[str, ...]:
        """Run and store one repetition; return why it is void, empty if it is valid.

        It starts when the preconditions hold, and is void if one fails before its end. Side effects
        on the device (burner, capture) are undone on every way out. A repetition that ran to its end
        is kept; an exception leaves nothing of it.
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
        """Record one cycle, and the host's load during it."""
        capture = Capture(
            self.device,
            self.needs,
            folder,
            reservation=self.reservation,
            longest_s=self.longest_s,
            progress=lambda text: self.phase(Phase.PULL, text),
            program=self.host.program,
            sleep=self.host.sleep,
        )
        load = HostLoad(device_cpu_s=self.lane.device_cpu_s, own_pid=os.getpid())
        # Start and stop outside the CPU condition: enabling events patches kernel code, which is safest
        # while little runs, and an idle device reads its buffers faster.
        capture.start()
        try:
            with self.condition():
                self.host.sleep(SETTLE_S)
                self.device.script(capture.begin_text())
                load.start()
                self.workload.cycle()
                host = load.stop()
                self.device.script(capture.end_text())
        except BaseException:
            capture.cancel()
            raise
        self.phase(Phase.PULL)
        return capture.stop(), host
