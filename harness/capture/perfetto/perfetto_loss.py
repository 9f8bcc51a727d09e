"""Reads the packets of a Perfetto trace: losses, failed events, context switches, births, lmkd's marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats

from foundation.contract import losses
from foundation.contract.ftrace_bundles import LostStretches
from foundation.contract.losses import FTRACE, RECORDED, Data, Loss, lost
from foundation.contract.packets import read_packets
from foundation.contract.service_stats import StatsTime, stale_statistics
from harness.capture.run_times import RunTimes
from workloads.kills import parse_mark

#: clone(2): the new task is a thread of its parent's process.
_CLONE_THREAD: Final = 0x00010000


@dataclass
class _Summary:
    begin: dict[int, Any] = field(default_factory=dict)
    end: dict[int, Any] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    parse_errors: set[str] = field(default_factory=set)
    stretches: LostStretches = field(default_factory=LostStretches)
    stats_time: StatsTime = field(default_factory=StatsTime)
    buffers: dict[int, frozenset[Data]] = field(default_factory=dict)
    trace_stats: Any = None


def _read_bundle(bundle: Any, run_times: RunTimes) -> None:
    for event in bundle.event:
        if event.HasField("task_newtask") and not event.task_newtask.clone_flags & _CLONE_THREAD:
            run_times.births[event.task_newtask.pid] = event.timestamp
        if event.HasField("print"):
            mark = parse_mark(event.print.buf, event.timestamp)
            run_times.marks += [mark] if mark is not None else []
        if event.HasField("sched_switch"):
            run_times.switch(bundle.cpu, event.timestamp, event.sched_switch.next_pid)
        elif event.HasField("sched_waking"):
            run_times.waking(event.timestamp, event.sched_waking.pid)
    compact = bundle.compact_sched
    t_ns = 0
    # Delta-encoded; the first time of a bundle is absolute.
    for delta_ns, next_pid in zip(compact.switch_timestamp, compact.switch_next_pid, strict=True):
        t_ns += delta_ns
        run_times.switch(bundle.cpu, t_ns, next_pid, compact=True)
    t_ns = 0
    for delta_ns, pid in zip(compact.waking_timestamp, compact.waking_pid, strict=True):
        t_ns += delta_ns
        run_times.waking(t_ns, pid)


def _scan(path: Path, run_times: RunTimes) -> _Summary:
    summary = _Summary()
    for packet in read_packets(path):
        kind = packet.WhichOneof("data")
        if kind == "ftrace_events":
            summary.stretches.bundle(packet.ftrace_events)
            _read_bundle(packet.ftrace_events, run_times)
        elif kind == "ftrace_stats":
            stats = packet.ftrace_stats
            side = summary.end if stats.phase == FtraceStats.END_OF_TRACE else summary.begin
            side.update({cpu.cpu: cpu for cpu in stats.cpu_stats})
            summary.failed.update(stats.failed_ftrace_events, stats.unknown_ftrace_events)
            summary.parse_errors.update(f"code {code}" for code in stats.ftrace_parse_errors)
        elif kind == "trace_config":
            summary.buffers = losses.data_in_buffers(packet.trace_config)
        elif kind == "trace_stats":
            summary.trace_stats = packet.trace_stats
        summary.stats_time.packet(packet, summary.stretches.last_ns)
    return summary


def judge_perfetto(path: Path, run_times: RunTimes) -> tuple[tuple[Loss, ...], tuple[str, ...]]:
    """What was lost (empty: nothing), and events that the service could not enable.

    Context switches, births of processes and lmkd's marks go to ``run_times``, whose window decides
    which losses count. TraceError if the file is not a complete sequence of packets.
    """
    summary = _scan(path, run_times)
    loss = [*_of_ftrace(summary, run_times.window_ns), *_of_service(summary, run_times.window_ns[1])]
    return tuple(loss), tuple(sorted(summary.failed))


def _of_ftrace(summary: _Summary, window_ns: tuple[int, int]) -> list[Loss]:
    loss: list[Loss] = []
    if not summary.end:
        fresh = summary.stats_time.seen and not stale_statistics(summary.stats_time, window_ns[1])
        loss.append(losses.RECORDER_DIED if fresh else losses.NO_FTRACE_END)
    stretches = summary.stretches
    for cpu, end in sorted(summary.end.items()):
        outside = stretches.outside(cpu, window_ns)
        loss += losses.ftrace_losses(cpu, summary.begin.get(cpu), end, outside=outside)
    for cpu in stretches.cpus:
        if not stretches.outside(cpu, window_ns):
            loss.append(lost(f"{stretches.marks(cpu)} {losses.INCOMPLETE_BUNDLES} on CPU {cpu}", FTRACE))
    texts = sorted(summary.parse_errors)
    return loss + [lost(f"ftrace data could not be parsed ({text})", FTRACE) for text in texts]


def _of_service(summary: _Summary, window_end_ns: int) -> list[Loss]:
    if summary.trace_stats is None:
        return [losses.NO_BUFFER_END]
    loss = stale_statistics(summary.stats_time, window_end_ns)
    for number, buffer in enumerate(summary.trace_stats.buffer_stats):
        loss += losses.buffer_losses(number, buffer, summary.buffers.get(number, RECORDED))
    return loss
