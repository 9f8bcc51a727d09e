"""ELF files and kernel modules made in code, as far as the suite reads them. Formats: elf(5), .modinfo,
struct modversion_info of include/linux/module.h."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

BUILD_ID: Final = bytes(range(20))
VERMAGIC: Final = "SMP preempt mod_unload"
SIGNATURE: Final = b"~Module signature appended~\n"
X86_64: Final = 62
AARCH64: Final = 183


def note(owner: bytes, kind: int, value: bytes) -> bytes:
    """An ELF note."""

    def padded(part: bytes) -> bytes:
        return part + b"\0" * (-len(part) % 4)

    return struct.pack("<III", len(owner), len(value), kind) + padded(owner) + padded(value)


def build_id_note(build_id: bytes) -> bytes:
    """The note that holds a GNU build id."""
    return note(b"GNU\0", 3, build_id)


def elf(contents: Mapping[str, bytes], machine: int = X86_64) -> bytes:
    """A little-endian ELF64 relocatable file with these sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*contents, ".shstrtab"])
    body, headers = b"", [bytes(64)]
    for name, content in [*contents.items(), (".shstrtab", names)]:
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, 64 + len(body), len(content), 0, 0, 1, 0))
        body += content
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = len(headers)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 1, machine, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, count, count - 1
    )
    return head + body + b"".join(headers)


def module(
    name: str,
    depends: str = "",
    release: str = "6.1.0-test",
    parameters: tuple[str, ...] = (),
    build_id: bytes | None = BUILD_ID,
    *,
    flags: str = VERMAGIC,
    srcversion: str = "",
    checksums: Mapping[str, int] | None = None,
    machine: int = X86_64,
    signed: bool = False,
) -> bytes:
    """The bytes of a ``.ko``; ``flags`` are the words of its vermagic behind the release."""
    words = [f"name={name}", f"depends={depends}", f"vermagic={release} {flags}"]
    words += [f"parmtype={parameter}:uint" for parameter in parameters]
    words += [f"srcversion={srcversion}"] if srcversion else []
    contents = {".modinfo": b"".join(word.encode() + b"\0" for word in words)}
    if build_id is not None:
        contents[".note.gnu.build-id"] = build_id_note(build_id)
    if checksums:
        contents["__versions"] = b"".join(
            struct.pack("<Q56s", checksum, symbol.encode()) for symbol, checksum in checksums.items()
        )
    return elf(contents, machine) + (SIGNATURE if signed else b"")
