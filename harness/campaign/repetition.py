"""One measured cycle: capture on, workload, capture off, verified, stored whole or not at all."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from foundation.contract.arch import arch_of
from foundation.contract.device import Device, Lane
from foundation.contract.needs import Needs
from foundation.contract.records import RepetitionRecord, TraceRecord
from foundation.contract.results import TRACE_FILE
from harness.campaign.phase import Phase, Tell
from harness.campaign.preconditions import Preconditions
from harness.campaign.rules import host_reasons
from harness.campaign.store import Repetition
from harness.capture import (
    Capture,
    CaptureReport,
    HostLoad,
    RawCapture,
    TraceRoom,
    assemble,
)
from harness.capture.validity import throttle_reasons
from harness.native.build import binary
from workloads.app_switching import CycleResult
from workloads.burner import CpuBurner, RealTime
from workloads.launches import trace_doubts
from workloads.protocol import Cycle, Workload

# The trace buffers take memory, and reclaim makes room for them: that is not the workload's.
SETTLE_S: Final = 1.0


@dataclass(frozen=True)
class Measured:
    """What one repetition came to: stored in any case, valid only without reasons."""

    index: int
    void_reasons: tuple[str, ...]


def condition(scenario: str, device: Device) -> contextlib.AbstractContextManager[object]:
    """The CPU condition of a scenario.

    Nothing for ``idle``; a burner on every CPU for ``busy``, one of real-time threads for ``rt-busy``.
    """
    if scenario == "idle":
        return contextlib.nullcontext()
    return CpuBurner(device, binary("burner", arch_of(device)), realtime=real_time(scenario))


def real_time(scenario: str) -> RealTime | None:
    """The real-time threads of a scenario with a burner; None for one at normal nice."""
    return RealTime() if scenario == "rt-busy" else None


def measure(
    *,
    lane: Lane,
    device: Device,
    scenario: str,
    workload: Workload,
    needs: Needs,
    repetition: Repetition,
    index: int,
    phase: Tell,
    room: TraceRoom | None = None,
    conditions: Preconditions,
) -> Measured:
    """Run and store one repetition, recording in the memory that ``room`` holds.

    It begins when ``conditions`` hold, and is void if they did not until its end.

    Device side effects (burner, capture) are undone on every way out. On an exception
    nothing of the repetition stays; a repetition that ran to its end is always kept,
    with the reasons that make it void, if any.
    """
    folder = repetition.folder
    try:
        started = datetime.now(UTC)
        conditions.before()
        phase(Phase.CAPTURE, f"repetition {index}: {scenario}")
        workload.reset()
        raw, host = _record(
            lane, device, scenario, workload, needs, folder, phase, room, conditions.longest_s
        )
        phase(Phase.VERIFY)
        throttled = [*conditions.after()]
        if conditions.watches_throttling:
            throttled += throttle_reasons(raw.begin, raw.between, raw.end)
        cycle = workload.result()
        report = assemble(raw, cycle.switches, folder / TRACE_FILE)
        if report.marks is not None and isinstance(cycle, CycleResult):
            cycle = cycle.with_marks(report.marks)
        contradicted, unseen = trace_doubts(cycle.switches, report.births)
        (folder / "workload.jsonl").write_text(cycle.to_json_lines(), encoding="utf-8")
        reasons = (
            *report.loss,
            *report.void_reasons,
            *host_reasons(host, emulated=lane.emulated),
            *throttled,
            *contradicted,
            *cycle.void_reasons(),
        )
        record = _repetition_record(index, started, reasons, report, host, cycle)
        seen = {"cold_starts_unseen": unseen} if report.births else {}
        repetition.commit(record, {**cycle.facts(), **conditions.record(), **seen})
    except BaseException:
        repetition.abandon()
        raise
    if reasons:
        phase(Phase.VERIFY, f"repetition {index}: VOID: {'; '.join(reasons)}")
    return Measured(index, reasons)


def _record(
    lane: Lane,
    device: Device,
    scenario: str,
    workload: Workload,
    needs: Needs,
    folder: Path,
    phase: Tell,
    room: TraceRoom | None,
    longest_s: float,
) -> tuple[RawCapture, dict[str, float | None]]:
    def say(text: str) -> None:
        phase(Phase.PULL, text)

    capture = Capture(device, needs, folder, room=room, longest_s=longest_s, say=say)
    load = HostLoad(device_cpu_s=lane.device_cpu_s, own_pid=os.getpid())
    # Around the CPU condition: what it sets up and takes down rewrites code of the kernel, which is
    # safest while little runs, and the buffers are read faster by an idle device.
    capture.start()
    try:
        with condition(scenario, device):
            time.sleep(SETTLE_S)
            capture.mark_begin()
            load.start()
            workload.cycle()
            host = load.stop()
            capture.mark_end()
    except BaseException:
        capture.cancel()
        raise
    phase(Phase.PULL)
    return capture.stop(), host


def _repetition_record(
    index: int,
    started: datetime,
    reasons: tuple[str, ...],
    report: CaptureReport,
    host: dict[str, float | None],
    cycle: Cycle,
) -> RepetitionRecord:
    return RepetitionRecord(
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
