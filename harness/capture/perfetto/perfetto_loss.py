"""Reads the packets of a Perfetto trace: losses, failed events, context switches, births, lmkd's marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats

from foundation.contract import losses
from foundation.contract.packets import read_packets
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
    lost_by_cpu: dict[int, int] = field(default_factory=dict)
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
    compact = bundle.compact_sched
    t_ns = 0
    # Delta-encoded; the first time of a bundle is absolute.
    for delta_ns, next_pid in zip(compact.switch_timestamp, compact.switch_next_pid, strict=True):
        t_ns += delta_ns
        run_times.switch(bundle.cpu, t_ns, next_pid, compact=True)


def _scan(path: Path, run_times: RunTimes) -> _Summary:
    summary = _Summary()
    for packet in read_packets(path):
        kind = packet.WhichOneof("data")
        if kind == "ftrace_events":
            if packet.ftrace_events.lost_events:
                cpu = packet.ftrace_events.cpu
                summary.lost_by_cpu[cpu] = summary.lost_by_cpu.get(cpu, 0) + 1
            _read_bundle(packet.ftrace_events, run_times)
        elif kind == "ftrace_stats":
            stats = packet.ftrace_stats
            side = summary.end if stats.phase == FtraceStats.END_OF_TRACE else summary.begin
            side.update({cpu.cpu: cpu for cpu in stats.cpu_stats})
            summary.failed.update(stats.failed_ftrace_events, stats.unknown_ftrace_events)
            summary.parse_errors.update(f"code {code}" for code in stats.ftrace_parse_errors)
        elif kind == "trace_stats":
            summary.trace_stats = packet.trace_stats
    return summary


def judge_perfetto(path: Path, run_times: RunTimes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Loss lines (empty: nothing lost) and events that the service could not enable.

    Context switches, births of processes and lmkd's marks go to ``run_times``.
    TraceError if the file is not a complete sequence of packets.
    """
    summary = _scan(path, run_times)
    loss: list[str] = [] if summary.end else [losses.NO_FTRACE_END]
    for cpu, end in sorted(summary.end.items()):
        loss += losses.ftrace_lines(cpu, summary.begin.get(cpu), end)
    for cpu, count in sorted(summary.lost_by_cpu.items()):
        loss.append(f"{count} {losses.INCOMPLETE_BUNDLES} on CPU {cpu}")
    loss += [f"ftrace data could not be parsed ({text})" for text in sorted(summary.parse_errors)]
    if summary.trace_stats is None:
        loss.append(losses.NO_BUFFER_END)
    else:
        for number, buffer in enumerate(summary.trace_stats.buffer_stats):
            loss += losses.buffer_lines(number, buffer)
    return tuple(loss), tuple(sorted(summary.failed))
