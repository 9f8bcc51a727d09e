"""Writing a Perfetto trace: a file that is one packet after the other.

A trace needs no index and no end mark, so packets are written as they come and memory
stays small however long the trace.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket

#: Sequence ids: far above those that Perfetto's own service hands out (1, 2, ...), because
#: the suite's packets also stand in front of traces that the service wrote.
SEQUENCE_META: Final = 0x5EC10001
SEQUENCE_FTRACE: Final = 0x5EC10002
SEQUENCE_STATS: Final = 0x5EC10003
SEQUENCE_SUITE: Final = 0x5EC10004

#: Field `packet` of message Trace: number 1, length-delimited.
_PACKET_TAG: Final = b"\x0a"


def varint(value: int) -> bytes:
    """A non-negative number in protobuf's base-128 form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class PacketWriter:
    """Writes packets to ``path``; counts bytes and hashes them on the way.

    Use as a context manager. After an exception the unfinished file is removed, so that
    nobody takes it for a trace.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._file = path.open("wb")

    @property
    def sha256(self) -> str:
        """Of all bytes written so far, in hex."""
        return self._hash.hexdigest()

    def new(self, sequence: int) -> Any:
        """An empty TracePacket of one of the ``SEQUENCE_*`` ids, for `write`."""
        packet = TracePacket()
        packet.trusted_packet_sequence_id = sequence
        return packet

    def write(self, packet: Any) -> None:
        """Append one TracePacket."""
        body = packet.SerializeToString()
        self.write_raw(_PACKET_TAG + varint(len(body)) + body)

    def write_raw(self, data: bytes) -> None:
        """Append bytes that are whole packets already."""
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
