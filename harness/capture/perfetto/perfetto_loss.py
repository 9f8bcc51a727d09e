"""What a trace of the Perfetto service says about its own losses.

The trace processor reads a truncated or lossy trace without an error, and gives most
kinds of loss the severity *info*; so loss is looked for by name, in the packets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats, TracePacket

from foundation.errors import TraceError
from harness.capture.run_times import RunTimes
from workloads.kills import parse_mark

_PACKET_TAG: Final = 0x0A
_FTRACE_LOSSES: Final = ("overrun", "commit_overrun", "dropped_events")
_BUFFER_LOSSES: Final = (
    "chunks_overwritten",
    "chunks_discarded",
    "patches_failed",
    "abi_violations",
    "trace_writer_packet_loss",
)


@dataclass
class _Found:
    begin: dict[int, Any] = field(default_factory=dict)
    end: dict[int, Any] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    parse_errors: set[str] = field(default_factory=set)
    lost_by_cpu: dict[int, int] = field(default_factory=dict)
    trace_stats: Any = None


def packets(path: Path) -> Iterator[Any]:
    """Every TracePacket of the file. TraceError if the file is empty, cut short or damaged."""
    with path.open("rb") as file:
        position = 0
        while tag := file.read(1):
            size, shift, width = 0, 0, 1
            while True:
                byte = file.read(1)
                if not byte or tag[0] != _PACKET_TAG or shift > 35:
                    raise _cut(path, position)
                size |= (byte[0] & 0x7F) << shift
                shift += 7
                width += 1
                if byte[0] < 0x80:
                    break
            body = file.read(size)
            if len(body) != size:
                raise _cut(path, position)
            try:
                yield TracePacket.FromString(body)
            except DecodeError:
                raise _cut(path, position) from None
            position += width + size
    if position == 0:
        raise TraceError(f"{path.name} is empty", next_step="measure the repetition again")


def _cut(path: Path, position: int) -> TraceError:
    return TraceError(
        f"{path.name} is cut short or damaged at byte {position} of {path.stat().st_size}",
        next_step="measure the repetition again; check the space on the device",
    )


#: clone(2): the new task is a thread of its parent's process.
_CLONE_THREAD: Final = 0x00010000


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
    # Times are differences; the first of a bundle is the difference from 0.
    for delta_ns, next_pid in zip(compact.switch_timestamp, compact.switch_next_pid, strict=True):
        t_ns += delta_ns
        run_times.switch(bundle.cpu, t_ns, next_pid, compact=True)


def _scan(path: Path, run_times: RunTimes) -> _Found:
    found = _Found()
    for packet in packets(path):
        kind = packet.WhichOneof("data")
        if kind == "ftrace_events":
            if packet.ftrace_events.lost_events:
                cpu = packet.ftrace_events.cpu
                found.lost_by_cpu[cpu] = found.lost_by_cpu.get(cpu, 0) + 1
            _read_bundle(packet.ftrace_events, run_times)
        elif kind == "ftrace_stats":
            stats = packet.ftrace_stats
            side = found.end if stats.phase == FtraceStats.END_OF_TRACE else found.begin
            side.update({cpu.cpu: cpu for cpu in stats.cpu_stats})
            found.failed.update(stats.failed_ftrace_events, stats.unknown_ftrace_events)
            found.parse_errors.update(f"code {code}" for code in stats.ftrace_parse_errors)
        elif kind == "trace_stats":
            found.trace_stats = packet.trace_stats
    return found


def judge_perfetto(path: Path, run_times: RunTimes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Loss lines (empty: whole) and events that the service could not enable.

    Context switches, begins of processes and lmkd's marks go to ``run_times``.
    TraceError if the file is not a whole sequence of packets.
    """
    found = _scan(path, run_times)
    loss: list[str] = []
    if not found.end:
        loss.append("the trace has no closing ftrace statistics: it was cut short")
    for cpu, end in sorted(found.end.items()):
        begin = found.begin.get(cpu)
        for name in _FTRACE_LOSSES:
            lost = getattr(end, name) - (getattr(begin, name) if begin is not None else 0)
            if lost > 0:
                loss.append(f"ftrace lost {lost} events on CPU {cpu} ({name})")
    for cpu, count in sorted(found.lost_by_cpu.items()):
        loss.append(f"ftrace events are missing before {count} pages of CPU {cpu}")
    loss += [f"ftrace data could not be parsed ({text})" for text in sorted(found.parse_errors)]
    if found.trace_stats is None:
        loss.append("the trace has no buffer statistics: it was cut short")
    else:
        for index, buffer in enumerate(found.trace_stats.buffer_stats):
            for name in _BUFFER_LOSSES:
                if (lost := getattr(buffer, name)) > 0:
                    loss.append(f"trace buffer {index} lost data ({name}: {lost})")
    return tuple(loss), tuple(sorted(found.failed))
