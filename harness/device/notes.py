"""GNU build ids in ELF notes, as /sys/kernel/notes, /sys/module/*/notes and ELF sections hold them.

pyelftools needs an ELF file around them, and accepts truncated notes.
"""

from __future__ import annotations

import struct
from typing import Final

from foundation.contract.batch import Answer

_HEADER: Final = struct.Struct("<III")
_NT_GNU_BUILD_ID: Final = 3


def gnu_build_id(notes: bytes) -> str | None:
    """The first build id in ``notes``, in hex; None without one. Source: elf(5), "Notes"."""
    at = 0
    while at + _HEADER.size <= len(notes):
        name_size, size, kind = _HEADER.unpack_from(notes, at)
        name_at = at + _HEADER.size
        content_at = name_at + _padded(name_size)
        name = notes[name_at : name_at + name_size].rstrip(b"\0")
        content = notes[content_at : content_at + size]
        if kind == _NT_GNU_BUILD_ID and name == b"GNU" and content and len(content) == size:
            return content.hex()
        at = content_at + _padded(size)
    return None


def build_id_of(printed: Answer) -> str | None:
    """The build id in notes that ``od -An -v -tx1`` printed; None without one, or if it failed."""
    try:
        return gnu_build_id(bytes.fromhex(printed.text)) if printed.ok else None
    except ValueError:
        return None


def _padded(size: int) -> int:
    return (size + 3) & ~3
