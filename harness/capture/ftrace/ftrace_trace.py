"""Pages read from the device -> ftrace packets of a Perfetto trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceStats

from foundation.contract.packets import SEQUENCE_FTRACE, PacketWriter
from foundation.errors import TraceError
from harness.capture.ftrace.ftrace_convert import Converter, converter
from harness.capture.ftrace.ftrace_format import (
    EventFormat,
    PageLayout,
    parse_format,
    parse_header_page,
)
from harness.capture.ftrace.ftrace_pages import Page, read_pages
from harness.capture.ftrace.ftrace_session import SEPARATOR
from harness.capture.ftrace.ftrace_stats import CpuStats
from harness.capture.run_times import RunTimes

#: Pages that share a packet: large enough to be cheap, small enough to stay in memory.
_PAGES_A_PACKET: Final = 32


@dataclass
class FtraceSummary:
    """What was converted.

    ``records`` counts by ``group/name``, ``by_cpu`` by CPU. ``missed`` is for each CPU the
    number of records that the kernel marked as overwritten between pages (None: some, not
    how many); a CPU without a gap is not in it.
    """

    records: dict[str, int] = field(default_factory=dict)
    by_cpu: dict[int, int] = field(default_factory=dict)
    missed: dict[int, int | None] = field(default_factory=dict)


def read_formats(text: str) -> list[EventFormat]:
    """Split the joined format files that a session collected. TraceError if one is damaged."""
    formats = []
    for part in text.split(SEPARATOR)[1:]:
        title, _, body = part.partition("\n")
        formats.append(parse_format(title.strip().partition("/")[0], body))
    return formats


class FtraceWriter:
    """Writes one CPU after the other; a packet holds records of one CPU in time order."""

    def __init__(
        self,
        writer: PacketWriter,
        formats: Sequence[EventFormat],
        layout: PageLayout,
        run_times: RunTimes,
    ) -> None:
        self._writer = writer
        self._run_times = run_times
        self._switch_ids = frozenset(item.id for item in formats if item.name == "sched_switch")
        self._layout = layout
        self._formats = {item.id: item for item in formats}
        self._converters: dict[int, Converter] = {item.id: converter(item) for item in formats}
        self._pid_offset = formats[0].common_pid_offset if formats else 4
        self.summary = FtraceSummary()

    def write_cpu(self, cpu: int, path: Path) -> None:
        """Convert one CPU's pages. TraceError naming file and page if one is damaged."""
        packet = self._packet(cpu)
        counts: dict[int, int] = {}
        pages = 0
        for page in read_pages(path, self._layout):
            if page.missed != 0:
                self._flush(packet)
                packet, pages = self._packet(cpu), 0
                packet.ftrace_events.lost_events = True
                self._note_missed(cpu, page)
            self._convert(page, cpu, packet.ftrace_events, counts, path.name)
            pages += 1
            if pages == _PAGES_A_PACKET:
                self._flush(packet)
                packet, pages = self._packet(cpu), 0
        self._flush(packet)
        self.summary.by_cpu[cpu] = sum(counts.values())
        for event_id, count in counts.items():
            event_format = self._formats[event_id]
            name = f"{event_format.group}/{event_format.name}"
            self.summary.records[name] = self.summary.records.get(name, 0) + count

    def _packet(self, cpu: int) -> Any:
        packet = self._writer.new(SEQUENCE_FTRACE)
        packet.ftrace_events.cpu = cpu
        return packet

    def _flush(self, packet: Any) -> None:
        if packet.ftrace_events.event or packet.ftrace_events.lost_events:
            self._writer.write(packet)

    def _note_missed(self, cpu: int, page: Page) -> None:
        before = self.summary.missed.get(cpu, 0)
        self.summary.missed[cpu] = None if page.missed is None or before is None else before + page.missed

    def _convert(self, page: Page, cpu: int, bundle: Any, counts: dict[int, int], where: str) -> None:
        data, add, converters, pid_at = page.data, bundle.event.add, self._converters, self._pid_offset
        switch_ids, switched = self._switch_ids, self._run_times.switch
        for time, start, length in page.records:
            event_id = data[start] | data[start + 1] << 8
            fill = converters.get(event_id)
            if fill is None:
                raise TraceError(
                    f"{where} holds a record of event {event_id}, which was not asked for",
                    next_step="measure again: the page is damaged, or others use this buffer",
                )
            event = add()
            event.timestamp = time
            at = start + pid_at
            event.pid = int.from_bytes(data[at : at + 4], "little", signed=True) & 0xFFFFFFFF
            fill(data, start, length, event)
            counts[event_id] = counts.get(event_id, 0) + 1
            if event_id in switch_ids:
                switched(cpu, time, event.sched_switch.next_pid)


def write_ftrace(
    writer: PacketWriter, folder: Path, cpus: Sequence[int], run_times: RunTimes
) -> FtraceSummary:
    """Convert all that `FtraceSession.collect` left in ``folder``; switches also go to ``run_times``.

    TraceError if a part is damaged.
    """
    layout = parse_header_page((folder / "header_page.txt").read_text(encoding="utf-8"))
    formats = read_formats((folder / "formats.txt").read_text(encoding="utf-8"))
    ftrace = FtraceWriter(writer, formats, layout, run_times)
    for cpu in cpus:
        ftrace.write_cpu(cpu, folder / f"cpu{cpu}.raw")
    return ftrace.summary


def write_ftrace_stats(
    writer: PacketWriter,
    t_ns: int,
    phase: str,
    stats: Sequence[CpuStats],
    missing_events: Sequence[str] = (),
) -> None:
    """Write the buffer's loss counters at ``phase`` ``START`` or ``END``, as Perfetto's service does."""
    packet = writer.new(SEQUENCE_FTRACE)
    packet.timestamp = t_ns
    message = packet.ftrace_stats
    message.phase = FtraceStats.Phase.Value(f"{phase}_OF_TRACE")
    message.unknown_ftrace_events.extend(missing_events)
    for cpu in stats:
        message.cpu_stats.add(
            cpu=cpu.cpu,
            entries=cpu.entries,
            overrun=cpu.overrun,
            commit_overrun=cpu.commit_overrun,
            bytes_read=cpu.bytes,
            oldest_event_ts=cpu.oldest_event_s,
            now_ts=cpu.now_s,
            dropped_events=cpu.dropped_events,
            read_events=cpu.read_events,
        )
    writer.write(packet)
