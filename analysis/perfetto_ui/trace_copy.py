"""Copies a trace and appends the tracks of reclaim, in a form that the UI can read."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket

from analysis.perfetto_ui.derived import GROUP, Derived, derive
from analysis.perfetto_ui.packets import packets_of
from analysis.trace.framing import read_facts
from foundation.errors import HostError

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

_GZIP: Final = b"\x1f\x8b"
#: The marks that are dropped are smaller than this.
_MARK_BYTES: Final = 64


def copy_with_tracks(trace: Path, into: Path, engine: EngineChoice | None = None) -> Derived:
    """Write ``trace`` with the tracks of `derive` to ``into``; returns the result of `derive`.

    A systrace cannot hold packets and is copied unchanged. TraceError for a trace that cannot be
    read, HostError if the copy cannot be written.
    """
    from analysis.trace_processor import open_trace

    with open_trace(trace, engine) as session:
        derived = derive(session)
    try:
        if read_facts(trace).kind == "perfetto":
            content = trace.read_bytes()
            if content.startswith(_GZIP):
                content = gzip.decompress(content)
            into.write_bytes(_unwindowed(content) + packets_of(GROUP, derived.tracks))
        else:
            shutil.copyfile(trace, into)
    except OSError as error:
        raise HostError(f"{into} cannot be written: {error.strerror or error}") from error
    return derived


def _unwindowed(content: bytes) -> bytes:
    """The trace without the recorder's marks that a buffer was read.

    At each mark the UI sorts and finishes the packets so far, and then drops later packets with
    earlier timestamps, such as the added tracks. Without marks it sorts the whole trace.
    """
    kept: list[bytes] = []
    position, start, size = 0, 0, len(content)
    while position < size:
        packet_start = position
        position += 1
        length = shift = 0
        while position < size:
            byte = content[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        end = position + length
        if length < _MARK_BYTES and _is_mark(content[position:end]):
            kept.append(content[start:packet_start])
            start = end
        position = end
    kept.append(content[start:])
    return b"".join(kept)


def _is_mark(body: bytes) -> bool:
    try:
        packet = TracePacket.FromString(body)
    except DecodeError:
        return False
    return bool(packet.HasField("service_event") and packet.service_event.read_tracing_buffers_completed)
