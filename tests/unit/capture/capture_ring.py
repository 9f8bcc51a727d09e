"""A second, independent writer of the kernel's trace buffer, to test the reader against.

Written from the layout in include/linux/ring_buffer.h; shares no code with the reader.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

PAGE = 4096
HEADER = 16

HEADER_PAGE = """\
\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""

COMMON = """\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
"""


def format_text(name: str, event_id: int, fields: Sequence[tuple[str, int, int, int]]) -> str:
    """A format file; fields are (declaration, offset, size, signed)."""
    body = "".join(
        f"\tfield:{decl};\toffset:{offset};\tsize:{size};\tsigned:{signed};\n"
        for decl, offset, size, signed in fields
    )
    return f'name: {name}\nID: {event_id}\nformat:\n{COMMON}\n{body}\nprint fmt: ""\n'


SCHED_SWITCH = format_text(
    "sched_switch",
    315,
    [
        ("char prev_comm[16]", 8, 16, 0),
        ("pid_t prev_pid", 24, 4, 1),
        ("int prev_prio", 28, 4, 1),
        ("long prev_state", 32, 8, 1),
        ("char next_comm[16]", 40, 16, 0),
        ("pid_t next_pid", 56, 4, 1),
        ("int next_prio", 60, 4, 1),
    ],
)
DIRECT_RECLAIM_BEGIN = format_text(
    "mm_vmscan_direct_reclaim_begin",
    400,
    [("int order", 8, 4, 1), ("unsigned long gfp_flags", 16, 8, 0)],
)
DIRECT_RECLAIM_END = format_text(
    "mm_vmscan_direct_reclaim_end", 401, [("unsigned long nr_reclaimed", 8, 8, 0)]
)


def payload(event_id: int, pid: int, body: bytes) -> bytes:
    """A record: the common fields and ``body`` from offset 8 on."""
    return struct.pack("<HBBi", event_id, 0, 0, pid) + body


def switch_payload(
    prev: tuple[str, int], state: int, following: tuple[str, int], event_id: int = 315
) -> bytes:
    """A record of sched_switch in the layout of `SCHED_SWITCH`."""
    return payload(
        event_id,
        prev[1],
        struct.pack(
            "<16siiq16sii", prev[0].encode(), prev[1], 120, state, following[0].encode(), following[1], 120
        ),
    )


@dataclass
class Ring:
    """Writes records into pages as the kernel does for one CPU."""

    absolute: bool = False
    pages: list[bytes] = field(default_factory=list)
    _data: bytearray = field(default_factory=bytearray)
    _page_time: int = 0
    _time: int = 0
    _open: bool = False
    _flags: int = 0
    _missed: int | None = None

    def miss(self, count: int | None) -> None:
        """Mark the next page: records were lost before it."""
        self.close()
        self._flags, self._missed = 1 << 31, count

    def event(self, time: int, body: bytes, *, discarded: bool = False) -> None:
        """Append one record; a new page is begun where it does not fit."""
        body += bytes(-len(body) % 4)
        need = 8 + 8 + len(body)
        # Room for the number of lost records is kept free behind the data.
        if self._open and HEADER + len(self._data) + need + 8 > PAGE:
            self.close()
        if not self._open:
            self._page_time = self._time = time
            self._open = True
        delta = time - self._time
        if delta >= 1 << 27 or delta < 0 or (self.absolute and delta):
            self._time_record(time, delta)
            delta = 0
        self._time = time
        if discarded:
            self._word(29, max(delta, 1))
            self._time += max(delta, 1) - delta
            self._data += struct.pack("<I", len(body)) + body[4:]
        elif len(body) <= 28 * 4 and body:
            self._word(len(body) // 4, delta)
            self._data += body
        else:
            self._word(0, delta)
            self._data += struct.pack("<I", len(body) + 4) + body

    def _time_record(self, time: int, delta: int) -> None:
        if self.absolute or delta < 0:
            stamp = time & ((1 << 59) - 1)
            self._word(31, stamp & ((1 << 27) - 1))
            self._data += struct.pack("<I", stamp >> 27)
        else:
            self._word(30, delta & ((1 << 27) - 1))
            self._data += struct.pack("<I", delta >> 27)

    def _word(self, kind: int, delta: int) -> None:
        self._data += struct.pack("<I", kind | delta << 5)

    def null_padding(self) -> None:
        """Fill what is committed to the page's end with the record that means nothing follows."""
        rest = PAGE - HEADER - len(self._data)
        if rest >= 4:
            self._word(29, 0)
            self._data += bytes(rest - 4)

    def close(self) -> None:
        """Finish the page, as a reader that swaps it out does."""
        if not self._open:
            return
        commit, tail = len(self._data) | self._flags, b""
        if self._missed is not None:
            commit |= 1 << 30
            tail = struct.pack("<Q", self._missed)
        page = struct.pack("<QQ", self._page_time, commit) + bytes(self._data) + tail
        # What lies behind the data is whatever was there before.
        self.pages.append(page + b"\xa5" * (PAGE - len(page)))
        self._data, self._open, self._flags, self._missed = bytearray(), False, 0, None

    def raw(self) -> bytes:
        """All pages so far."""
        self.close()
        return b"".join(self.pages)
