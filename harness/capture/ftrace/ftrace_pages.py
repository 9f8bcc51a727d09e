"""Raw pages of a per-CPU trace buffer -> records.

The layout is that of the kernel's ring buffer (include/linux/ring_buffer.h,
kernel/trace/ring_buffer.c): a page holds the time of its first record, the bytes
committed, and records of 4-byte words. The first word of a record has its type in
5 bits and the time since the record before in 27.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import TraceError
from harness.capture.ftrace.ftrace_format import PageLayout

_DATA_MAX: Final = 28
_PADDING: Final = 29
_TIME_EXTEND: Final = 30
_TIME_STAMP: Final = 31
_DELTA_BITS: Final = 27

_SIZE_MASK: Final = (1 << 27) - 1
_MISSED_EVENTS: Final = 1 << 31
_MISSED_STORED: Final = 1 << 30

#: An absolute time stamp carries 59 bits; the upper ones are those of the time before it.
_ABSOLUTE_BITS: Final = 59
_ABSOLUTE_MASK: Final = (1 << _ABSOLUTE_BITS) - 1


@dataclass(frozen=True)
class Page:
    """One page, decoded.

    ``records`` holds (time in ns, offset of the payload in the page, its length).
    ``missed`` is how many records were overwritten or dropped just before this page:
    0 for none, None where the kernel says that some were but not how many.
    """

    data: bytes
    records: list[tuple[int, int, int]]
    missed: int | None


def _damaged(what: str, where: str) -> TraceError:
    return TraceError(
        f"trace buffer page is damaged: {what} ({where})",
        next_step="measure the repetition again; if it repeats, this kernel lays out its pages differently",
    )


def decode_page(data: bytes, layout: PageLayout, where: str = "page") -> Page:
    """Decode one page; TraceError naming ``where`` if it cannot be one."""
    if len(data) != layout.page_size:
        raise _damaged(f"{len(data)} of {layout.page_size} bytes", where)
    (time,) = struct.unpack_from("<Q", data, 0)
    commit = int.from_bytes(
        data[layout.commit_offset : layout.commit_offset + layout.commit_size], "little"
    )
    size = commit & _SIZE_MASK
    begin = layout.data_offset
    if size > layout.page_size - begin or size % 4:
        raise _damaged(f"{size} bytes committed of {layout.page_size - begin}", where)
    words = struct.unpack_from(f"<{size // 4}I", data, begin)
    records: list[tuple[int, int, int]] = []
    add = records.append
    index, count = 0, size // 4
    try:
        while index < count:
            word = words[index]
            kind = word & 31
            delta = word >> 5
            if 0 < kind <= _DATA_MAX:
                time += delta
                add((time, begin + 4 * index + 4, 4 * kind))
                index += 1 + kind
            elif kind == 0:
                # The length stands in the next word and counts itself.
                length = words[index + 1]
                if length < 4:
                    raise _damaged(f"record of {length} bytes at word {index}", where)
                time += delta
                add((time, begin + 4 * index + 8, length - 4))
                index += 1 + (length + 3) // 4
            elif kind == _TIME_EXTEND:
                time += delta + (words[index + 1] << _DELTA_BITS)
                index += 2
            elif kind == _TIME_STAMP:
                absolute = delta + (words[index + 1] << _DELTA_BITS)
                time = (time & ~_ABSOLUTE_MASK) | (absolute & _ABSOLUTE_MASK)
                index += 2
            elif delta == 0:
                break  # nothing more in this page
            else:
                time += delta
                index += 1 + (words[index + 1] + 3) // 4
    except IndexError:
        raise _damaged(f"a record starts at word {index} and its head is cut", where) from None
    if index > count:
        raise _damaged(f"a record runs {4 * (index - count)} bytes past the committed data", where)
    return Page(data, records, _missed(commit, data, begin + size, layout))


def _missed(commit: int, data: bytes, end: int, layout: PageLayout) -> int | None:
    if not commit & _MISSED_EVENTS:
        return 0
    width = layout.commit_size
    if commit & _MISSED_STORED and end + width <= layout.page_size:
        return int.from_bytes(data[end : end + width], "little")
    return None


def read_pages(path: Path, layout: PageLayout) -> Iterator[Page]:
    """Decode the pages of one CPU's file one by one, in the order they were written.

    TraceError naming file and page for a page that is cut short or cannot be decoded.
    """
    with path.open("rb") as file:
        number = 0
        while data := file.read(layout.page_size):
            yield decode_page(data, layout, f"{path.name}, page {number}")
            number += 1
