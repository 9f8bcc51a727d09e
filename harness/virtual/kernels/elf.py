"""The .modinfo and the GNU build id of a kernel module."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError

_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_NOTE = struct.Struct("<III")
_NT_GNU_BUILD_ID = 3


@dataclass(frozen=True)
class ModuleInfo:
    """The .modinfo of a module; ``depends`` and ``parameters`` are names, as in modinfo.

    ``release`` is the first word of vermagic, ``build_id`` is hex, or None without a note.
    """

    name: str
    depends: tuple[str, ...]
    release: str
    parameters: frozenset[str]
    build_id: str | None


def canonical(name: str) -> str:
    """A module name as the kernel spells it: with underscores instead of dashes."""
    return name.replace("-", "_")


def sections(image: bytes, what: str) -> Mapping[str, bytes]:
    """Name -> content of the sections of a little-endian ELF64 file.

    UsageError if ``image`` is not one or is truncated; ``what`` is its name in the message.
    """
    if image[:6] != b"\x7fELF\x02\x01" or len(image) < 64:
        raise UsageError(
            f"{what} is not a 64-bit ELF file",
            next_step="give uncompressed .ko modules of an x86_64 kernel",
        )
    (table,) = struct.unpack_from("<Q", image, 0x28)
    entry_size, count, names_index = struct.unpack_from("<HHH", image, 0x3A)
    try:
        headers = [_SECTION_HEADER.unpack_from(image, table + i * entry_size) for i in range(count)]
        names_offset, names_size = headers[names_index][4:6]
    except (struct.error, IndexError, OverflowError) as error:
        raise UsageError(f"{what} is a truncated ELF file", next_step="copy or build it again") from error
    names = image[names_offset : names_offset + names_size]
    return {
        names[name_at:].split(b"\0", 1)[0].decode("ascii", "replace"): image[offset : offset + size]
        for name_at, _kind, _flags, _address, offset, size, *_ in headers
    }


def gnu_build_id(notes: bytes) -> str | None:
    """The build id in a .note.gnu.build-id section, as hex, or None."""
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, value_size, kind = _NOTE.unpack_from(notes, at)
        name_at = at + _NOTE.size
        value_at = name_at + (name_size + 3) // 4 * 4
        value = notes[value_at : value_at + value_size]
        owner = notes[name_at : name_at + name_size].rstrip(b"\0")
        if kind == _NT_GNU_BUILD_ID and owner == b"GNU" and value and len(value) == value_size:
            return value.hex()
        at = value_at + (value_size + 3) // 4 * 4
    return None


def parse_module(image: bytes, what: str) -> ModuleInfo:
    """Read the bytes of a ``.ko``; UsageError if it is not a kernel module."""
    content = sections(image, what)
    if ".modinfo" not in content:
        raise UsageError(
            f"{what} is not a kernel module (no .modinfo)", next_step="give the .ko files of the kernel"
        )
    words: dict[str, str] = {}
    parameters: set[str] = set()
    for entry in content[".modinfo"].split(b"\0"):
        key, _, value = entry.decode("utf-8", "replace").partition("=")
        if key == "parmtype" or key == "parm":
            parameters.add(value.partition(":")[0])
        elif key:
            words.setdefault(key, value)
    return ModuleInfo(
        name=words.get("name", Path(what).stem),
        depends=tuple(name for name in words.get("depends", "").split(",") if name),
        release=words.get("vermagic", "").split(" ", 1)[0],
        parameters=frozenset(parameters),
        build_id=gnu_build_id(content.get(".note.gnu.build-id", b"")),
    )


def read_module(path: Path) -> ModuleInfo:
    """`parse_module` of a file."""
    return parse_module(path.read_bytes(), str(path))
