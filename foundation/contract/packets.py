"""Packets of a Perfetto trace: writing them one by one, reading them back, making track events.

A trace file needs no index and no end mark, so packets are written as they arrive and memory
use does not grow with the trace. Perfetto's own StreamingTraceProtoBuilder copies each packet
into a Trace message first, which takes nearly twice the time.
"""

from __future__ import annotations

import hashlib
import mmap
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket, TrackEvent

from foundation.errors import TraceError

#: A sequence id far above those of Perfetto's service (1, 2, ...): the suite's packets are put in
#: front of traces that the service wrote.
SEQUENCE_SUITE: Final = 0x5EC10004
#: All sequences of the suite's own packets; traces of the suite's former recorder have the first three.
SUITE_SEQUENCES: Final = frozenset(range(SEQUENCE_SUITE - 3, SEQUENCE_SUITE + 1))

#: Field `packet` of message Trace: number 1, length-delimited.
PACKET_TAG: Final = 0x0A

#: Debug annotation of a slice; None is omitted (absent, not 0).
Annotation = str | int | float | bool | None
_FIELD: Final = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}


class DamagedPacket(ValueError):
    """A damaged packet that `walk` met; the message names the byte."""


def varint(value: int) -> bytes:
    """A non-negative number in protobuf's base-128 form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def framed(body: bytes) -> bytes:
    """One encoded TracePacket with the framing of a trace file."""
    return bytes((PACKET_TAG,)) + varint(len(body)) + body


def walk(content: mmap.mmap | bytes) -> Iterator[Any]:
    """Every TracePacket of a trace. DamagedPacket for the first that is cut or cannot be decoded."""
    position, size = 0, len(content)
    while position < size:
        start = position
        if content[position] != PACKET_TAG:
            raise DamagedPacket(f"no packet starts at byte {start} of {size}: the file is damaged")
        length, position = _read_varint(content, position + 1)
        if position < 0 or position + length > size:
            raise DamagedPacket(
                f"the packet at byte {start} of {size} is cut: the file was truncated or is damaged"
            )
        try:
            packet = TracePacket.FromString(content[position : position + length])
            if packet.compressed_packets:
                zlib.decompress(packet.compressed_packets)
        except (DecodeError, zlib.error):
            raise DamagedPacket(
                f"the packet at byte {start} of {size} cannot be decoded: the file is damaged"
            ) from None
        yield packet
        position += length


def read_packets(path: Path) -> Iterator[Any]:
    """Every TracePacket of a file. TraceError if the file is empty, cut short or damaged."""
    if path.stat().st_size == 0:
        raise TraceError(f"{path.name} is empty", next_step="measure the repetition again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            yield from walk(content)
        except DamagedPacket as damage:
            raise TraceError(
                f"{path.name} is cut short or damaged: {damage}",
                next_step="measure the repetition again; check the free space on the device",
            ) from None


def _read_varint(content: mmap.mmap | bytes, position: int) -> tuple[int, int]:
    """Value and the position after it; position -1 if it is cut or too long."""
    value = shift = 0
    while position < len(content) and shift <= 63:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    return 0, -1


class PacketWriter:
    """Writes packets to ``path``, counting and hashing the bytes.

    Use as a context manager: it removes the unfinished file after an exception.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._file = path.open("wb")

    @property
    def sha256(self) -> str:
        """SHA-256 of all bytes written so far, in hex."""
        return self._hash.hexdigest()

    def new(self, sequence: int) -> Any:
        """An empty TracePacket of this sequence id, for `write`."""
        packet = TracePacket()
        packet.trusted_packet_sequence_id = sequence
        return packet

    def write(self, packet: Any) -> None:
        """Append one TracePacket."""
        self.write_raw(framed(packet.SerializeToString()))

    def write_raw(self, data: bytes) -> None:
        """Append bytes that are complete packets already."""
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    def __enter__(self) -> PacketWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is not None:
            self.path.unlink(missing_ok=True)


class TrackEvents:
    """Makes the packets of tracks, slices and counters of one packet sequence; writes nothing.

    Track uuids count up from ``uuid_base``, so that the same input gives the same bytes.
    """

    def __init__(self, sequence: int, uuid_base: int) -> None:
        self._sequence = sequence
        self._first = self._last = uuid_base

    def track(self, name: str) -> Any:
        """The descriptor packet of a new track; its uuid is ``packet.track_descriptor.uuid``."""
        packet = TracePacket(trusted_packet_sequence_id=self._sequence)
        if self._last == self._first:
            packet.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        self._last += 1
        packet.track_descriptor.uuid = self._last
        packet.track_descriptor.name = name
        return packet

    def slice(
        self, uuid: int, name: str, begin_ns: int, end_ns: int, facts: Mapping[str, Annotation]
    ) -> tuple[Any, Any]:
        """Begin and end packet of one slice, with its debug annotations."""
        begin = self._event(uuid, begin_ns, TrackEvent.TYPE_SLICE_BEGIN)
        begin.track_event.name = name
        for key, value in facts.items():
            if value is not None:
                begin.track_event.debug_annotations.add(name=key, **{_FIELD[type(value)]: value})
        return begin, self._event(uuid, end_ns, TrackEvent.TYPE_SLICE_END)

    def value(self, uuid: int, t_ns: int, value: float) -> Any:
        """One value of a counter track."""
        packet = self._event(uuid, t_ns, TrackEvent.TYPE_COUNTER)
        if isinstance(value, float):
            packet.track_event.double_counter_value = value
        else:
            packet.track_event.counter_value = value
        return packet

    def _event(self, uuid: int, t_ns: int, kind: int) -> Any:
        packet = TracePacket(trusted_packet_sequence_id=self._sequence, timestamp=t_ns)
        packet.track_event.type = kind
        packet.track_event.track_uuid = uuid
        return packet
