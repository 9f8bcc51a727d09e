"""One measured cycle: start the capture, run the workload, stop, verify, store all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from foundation.contract.arch import arch_of
from foundation.contract.device import Device, Lane
from foundation.contract.losses import Loss
from foundation.contract.needs import Needs
from foundation.contract.records import RepetitionRecord, TraceRecord
from foundation.contract.results import TRACE_FILE
from harness.campaign.host import Host
from harness.campaign.phase import Phase, PhaseReporter
from harness.campaign.rules import host_reasons
from harness.campaign.store import Repetition
from harness.capture import BufferReservation, Capture, HostLoad, RawCapture
from harness.capture.validity import cpu_cooling, limit_changes
from harness.device.preconditions.block_preconditions import Preconditions
from workloads.burner import CpuBurner, RealTime
from workloads.kills import KillWatch
from workloads.order import pause, printed
from workloads.protocol import Workload, run_cycle

#: Wait for the reclaim that makes room for the trace buffers: it is not the workload's.
SETTLE_S: Final = 1.0
#: A seed makes the wait longer by up to this: the longest period of the device's own timers.
OFFSET_S: Final = 1.0
#: The longest time for that wait and both samples.
SAMPLES_DEADLINE_S: Final = 60.0


def start_s(seed: int | None, index: int) -> float:
    """How long the device waits before repetition ``index`` of a block with the workload's ``seed``.

    Without a seed `SETTLE_S`. With one, the moment at which the cycle meets the device's timers differs
    from seed to seed and from repetition to repetition, and is the same on all variants of a pair.
    """
    if seed is None:
        return SETTLE_S
    return SETTLE_S + random.Random(f"{seed} {index}").random() * OFFSET_S


@dataclass(frozen=True)
class Measured:
    """Why a repetition is void (empty: it counts), and what it lost of single kinds of data."""

    void_reasons: tuple[str, ...]
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Repetitions:
    """Runs and stores repetitions of one scenario; trace buffers use the memory that ``reservation`` holds.

    A recording that is never stopped ends by itself after ``longest_s``. With ``seed``, the workload's,
    each cycle begins at another moment of the device's timers.
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
    seed: int | None = None

    @property
    def _is_ours(self) -> bool:
        """Whether the suite runs the emulator: of any other, its share of the host's CPUs is not known."""
        return self.lane.emulated and self.lane.device_cpu_s() is not None

    def condition(self) -> contextlib.AbstractContextManager[object]:
        """The CPU condition of the scenario.

        None for ``idle``, a burner on every CPU for ``busy``, with real-time threads for ``rt-busy``.
        """
        if self.scenario == "idle":
            return contextlib.nullcontext()
        program = self.host.program("burner", arch_of(self.device))
        realtime = RealTime() if self.scenario == "rt-busy" else None
        return CpuBurner(self.device, program, realtime=realtime)

    def warm_up(self) -> None:
        """Run one cycle under the CPU condition of the scenario, without recording."""
        self.workload.prepare()
        self.workload.reset()
        with self.condition():
            run_cycle(self.device, self.workload)
        self.workload.result()

    def measure(self, repetition: Repetition, index: int) -> Measured:
        """Run and store one repetition; return whether it counts.

        It starts when the preconditions hold, and is void if one fails before its end. Side effects
        on the device (burner, capture) are undone on every way out. A repetition that ran to its end
        is kept; an exception leaves nothing of it.
        """
        try:
            started = datetime.now(UTC)
            self.conditions.before()
            self.phase(Phase.CAPTURE, f"repetition {index}: {self.scenario}")
            self.workload.reset()
            # lmkd kills other apps to make room for the workload: that is a result, too.
            with contextlib.nullcontext() if self.lane.emulated else KillWatch(self.device) as watch:
                raw, host = self._record(repetition.folder, start_s(self.seed, index))
                kills = watch.stop() if watch is not None else None
            self.phase(Phase.VERIFY)
            samples = raw.begin, raw.between, raw.end
            limits = limit_changes(*samples)
            throttled = (
                *self.conditions.after(),
                *self.conditions.limit_reasons(limits, cpu_cooling(*samples)),
            )
            cycle = self.workload.result()
            report = self.host.assemble(raw, cycle.switches, repetition.folder / TRACE_FILE)
            cycle = cycle.with_trace(report.births)
            lines, facts = cycle.to_json_lines(), {**cycle.facts(), **self.conditions.record()}
            if kills is not None:
                lost = {one.pid_lost: one.package for one in cycle.switches if one.pid_lost is not None}
                kills = kills.with_lost(self.device, lost).with_marks(report.marks)
                lines, facts = lines + kills.to_json_line(), facts | kills.facts()
            (repetition.folder / "workload.jsonl").write_text(lines, encoding="utf-8")
            losses = tuple(loss for loss in report.loss if not loss.whole)
            reasons = (
                *(loss.text for loss in report.loss if loss.whole),
                *report.void_reasons,
                *host_reasons(host, emulated=self._is_ours, host_time=self.lane.host_time),
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
                killed=None if kills is None else len(kills.killed),
                pages_verified=cycle.pages_verified,
                mismatches=cycle.mismatches,
                losses=losses,
            )
            repetition.commit(record, facts | {"frequency_limits": limits})
        except BaseException:
            repetition.abandon()
            raise
        if kills is not None and kills.killed:
            self.phase(Phase.VERIFY, f"repetition {index}: {kills}")
        if reasons:
            self.phase(Phase.VERIFY, f"repetition {index}: VOID: {'; '.join(reasons)}")
        elif losses:
            text = "; ".join(loss.line for loss in losses)
            self.phase(Phase.VERIFY, f"repetition {index}: LOST: {text}")
        return Measured(reasons, losses)

    def _record(self, folder: Path, start_s: float) -> tuple[RawCapture, dict[str, float | None]]:
        """Record one cycle, and the host's load during it.

        From ``start_s`` before its first sample to its last one the device runs one order, alone.
        """
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
        # Start and stop outside the CPU condition: enabling events patches kernel code, which is safest
        # while little runs, and an idle device reads its buffers faster.
        order = self.workload.order()
        capture.start()
        try:
            text = f"{pause(start_s)}\n{capture.wrap(order.into_file())}"
            with self.condition():
                load.start()
                self.device.script(text, deadline_s=order.deadline_s + SAMPLES_DEADLINE_S)
                host = load.stop()
            self.workload.take(printed(self.device))
        except BaseException:
            capture.cancel()
            raise
        self.phase(Phase.PULL)
        return capture.stop(), host
