"""GNU build ids in ELF notes, the format of /sys/kernel/notes and /sys/module/*/notes."""

from __future__ import annotations

import struct
from typing import Final

_HEADER: Final = struct.Struct("<III")
_NT_GNU_BUILD_ID: Final = 3


def build_id(notes: bytes) -> str | None:
    """Return the build id in hex, or None without one. Source: the Note section of elf(5)."""
    at = 0
    while at + _HEADER.size <= len(notes):
        name_size, size, kind = _HEADER.unpack_from(notes, at)
        name_at = at + _HEADER.size
        content_at = name_at + _padded(name_size)
        if content_at + size > len(notes):
            return None
        name = notes[name_at : name_at + name_size].rstrip(b"\0")
        if kind == _NT_GNU_BUILD_ID and name == b"GNU":
            return notes[content_at : content_at + size].hex()
        at = content_at + _padded(size)
    return None


def _padded(size: int) -> int:
    return (size + 3) & ~3
