"""Whether a trace file is whole, from its bytes: the engine reports neither truncation nor damage."""

from __future__ import annotations

import gzip
import mmap
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from analysis.trace_processor.choice import trace_size
from foundation.contract.ftrace_bundles import LostStretches
from foundation.contract.losses import Data, data_in_buffers
from foundation.contract.packets import PACKET_TAG, DamagedPacket, walk
from foundation.contract.service_stats import StatsTime
from foundation.errors import TraceError

Kind = Literal["perfetto", "systrace html", "ftrace text", "other"]

_GZIP: Final = b"\x1f\x8b"
_HTML_END: Final = b"<!-- END TRACE -->"
#: Head of ftrace's text output (Documentation/trace/ftrace.rst): kept and written entries.
_ENTRIES: Final = re.compile(rb"entries-in-buffer/entries-written:\s*(\d+)/(\d+)")
_HEAD: Final = 1 << 16


@dataclass(frozen=True)
class FileFacts:
    """Facts from the bytes of a trace.

    ``damage`` holds a line for each reason why the file is less than what was recorded.
    ``page_size`` is in bytes, None if the trace does not contain it. ``buffers``: which data each of
    Perfetto's buffers holds, by number, as far as the trace contains its config. ``stretches``: where
    the kernel lost ftrace events. ``stats_time``: when the service took its last statistics.
    """

    kind: Kind
    packets: int
    page_size: int | None
    damage: tuple[str, ...]
    buffers: dict[int, frozenset[Data]] = field(default_factory=dict)
    stretches: LostStretches = field(default_factory=LostStretches)
    stats_time: StatsTime = field(default_factory=StatsTime)


def read_facts(path: Path) -> FileFacts:
    """Walk the whole file once. TraceError if it cannot be read or is empty."""
    trace_size(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if head.startswith(_GZIP):
                return _unpacked(path)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _judge(content, head)
    except OSError as error:
        raise TraceError(
            f"cannot read {path}: {error.strerror or error}", next_step="check the path"
        ) from error


def _unpacked(path: Path) -> FileFacts:
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return FileFacts("other", 0, None, (f"the compressed file is cut or damaged: {error}",))
    if not content:
        return FileFacts("other", 0, None, ("the compressed file is empty",))
    return _judge(content, content[:_HEAD])


def _judge(content: mmap.mmap | bytes, head: bytes) -> FileFacts:
    if head[0] == PACKET_TAG:
        return _walk(content)
    if head.lstrip()[:1] == b"<":
        complete = content.find(_HTML_END) >= 0
        damage = () if complete else ("the HTML file ends before its END TRACE mark: it was cut",)
        return FileFacts("systrace html", 0, None, damage + _overwritten(head))
    if b"# tracer:" in head or b"TRACE:" in head[:64]:
        complete = content[-1:] == b"\n"
        damage = () if complete else ("the last line has no end: the file was cut",)
        return FileFacts("ftrace text", 0, None, damage + _overwritten(head))
    return FileFacts("other", 0, None, ())


def _overwritten(head: bytes) -> tuple[str, ...]:
    entries = _ENTRIES.search(head)
    if entries is None or entries[1] == entries[2]:
        return ()
    lost = int(entries[2]) - int(entries[1])
    return (f"{lost} of {int(entries[2])} ftrace events were overwritten",)


def _walk(content: mmap.mmap | bytes) -> FileFacts:
    packets = 0
    page_size: int | None = None
    damage: tuple[str, ...] = ()
    buffers: dict[int, frozenset[Data]] = {}
    stretches, stats_time = LostStretches(), StatsTime()
    try:
        for packet in walk(content):
            packets += 1
            kind = packet.WhichOneof("data")
            if kind == "ftrace_events":
                stretches.bundle(packet.ftrace_events)
            elif kind == "trace_config":
                buffers = data_in_buffers(packet.trace_config)
            elif kind == "system_info" and packet.system_info.page_size:
                page_size = packet.system_info.page_size
            stats_time.packet(packet, stretches.last_ns)
    except DamagedPacket as error:
        damage = (str(error),)
    return FileFacts("perfetto", packets, page_size, damage, buffers, stretches, stats_time)
