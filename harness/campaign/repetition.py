"""One measured cycle: capture on, workload, capture off, verified, stored whole or not at all."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from foundation.contract.arch import arch_of
from foundation.contract.device import Device, Lane
from foundation.contract.needs import Needs
from harness.campaign.host import Host
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
)
from harness.capture.validity import throttle_reasons
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


def condition(scenario: str, device: Device, host: Host) -> contextlib.AbstractContextManager[object]:
    """The CPU condition of a scenario.

    Nothing for ``idle``; a burner on every CPU for ``busy``, one of real-time threads for ``rt-busy``.
    """
    if scenario == "idle":
        return contextlib.nullcontext()
    program = host.program("burner", arch_of(device))
    return CpuBurner(device, program, host.sleep, realtime=real_time(scenario))


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
    host: Host,
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
        raw, load = _record(
            lane, device, scenario, workload, needs, folder, phase, room, conditions.longest_s, host
        )
        phase(Phase.VERIFY)
        throttled = [*conditions.after()]
        if conditions.watches_throttling:
            throttled += throttle_reasons(raw.begin, raw.between, raw.end)
        cycle = workload.result()
        report = host.assemble(raw, cycle.switches, folder / "trace.perfetto-trace")
        if report.marks is not None and isinstance(cycle, CycleResult):
            cycle = cycle.with_marks(report.marks)
        contradicted, unseen = trace_doubts(cycle.switches, report.births)
        (folder / "workload.jsonl").write_text(cycle.to_json_lines(), encoding="utf-8")
        reasons = (
            *report.loss,
            *report.void_reasons,
            *host_reasons(load, emulated=lane.emulated),
            *throttled,
            *contradicted,
            *cycle.void_reasons(),
        )
        record = _record_json(index, started, reasons, report, load, cycle)
        seen = {"cold_starts_unseen": unseen} if report.births else {}
        repetition.commit({**record, **conditions.record(), **seen})
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
    host: Host,
) -> tuple[RawCapture, dict[str, float | None]]:
    def say(text: str) -> None:
        phase(Phase.PULL, text)

    capture = Capture(device, needs, folder, room=room, longest_s=longest_s, say=say, program=host.program)
    load = HostLoad(device_cpu_s=lane.device_cpu_s, own_pid=os.getpid())
    # Around the CPU condition: what it sets up and takes down rewrites code of the kernel, which is
    # safest while little runs, and the buffers are read faster by an idle device.
    capture.start()
    try:
        with condition(scenario, device, host):
            host.sleep(SETTLE_S)
            capture.mark_begin()
            load.start()
            workload.cycle()
            used = load.stop()
            capture.mark_end()
    except BaseException:
        capture.cancel()
        raise
    phase(Phase.PULL)
    return capture.stop(), used


def _record_json(
    index: int,
    started: datetime,
    reasons: tuple[str, ...],
    report: CaptureReport,
    host: dict[str, float | None],
    cycle: Cycle,
) -> dict[str, Any]:
    return {
        "index": index,
        "valid": not reasons,
        "void_reasons": list(reasons),
        "started_utc": started.isoformat(timespec="seconds"),
        "window_ns": list(report.window_ns),
        "trace": {"sha256": report.sha256, "bytes": report.bytes, "backend": report.backend},
        "host": host,
        "thread_names": list(report.thread_names),
        "switches": len(cycle.switches),
        "kills": cycle.kills,
        "pages_verified": cycle.pages_verified,
        "mismatches": cycle.mismatches,
        **cycle.facts(),
    }
