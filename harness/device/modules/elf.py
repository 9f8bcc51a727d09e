"""Metadata of kernel modules: .modinfo, the GNU build id, the checksums of what a module uses."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foundation.contract.arch import Arch
from foundation.errors import UsageError
from harness.device.notes import gnu_build_id

#: struct modversion_info of include/linux/module.h: a checksum and a name, 64 bytes on 64-bit kernels.
_VERSION: Final = struct.Struct("<Q56s")
#: What scripts/sign-file.c puts behind a signature (include/linux/module_signature.h).
_SIGNED: Final = b"~Module signature appended~\n"
#: e_machine of elf(5).
_ARCHES: Final[Mapping[int, Arch]] = {62: "x86_64", 183: "aarch64"}


@dataclass(frozen=True)
class ModuleInfo:
    """What a module's file says of itself.

    From .modinfo: ``name``, ``depends`` (module names), ``vermagic`` and its first word ``release``,
    ``parameters`` (names), ``srcversion`` (hash of the sources, None without one). ``build_id`` in hex,
    None without a note. ``arch`` is None for another machine. ``checksums`` are those of the symbols that
    it uses, by name; empty without CONFIG_MODVERSIONS. ``signed``: it ends in a signature of any key.
    """

    name: str
    depends: tuple[str, ...]
    release: str
    parameters: frozenset[str]
    build_id: str | None
    vermagic: str = ""
    srcversion: str | None = None
    arch: Arch | None = None
    checksums: Mapping[str, int] = field(default_factory=dict)
    signed: bool = False


def canonical(name: str) -> str:
    """The kernel's spelling of a module name: dashes of the file name become underscores."""
    return name.replace("-", "_")


def sections(image: bytes, what: str, *names: str) -> dict[str, bytes]:
    """Contents of the sections ``names`` of a little-endian ELF64 file; absent ones are left out.

    UsageError if ``image`` is not such a file, or is cut short; ``what`` names it.
    """
    # Most commands never read an ELF file, and the import takes 50 ms.
    from elftools.common.exceptions import ELFError, ELFParseError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(io.BytesIO(image))
        if elf.elfclass == 64 and elf.little_endian:
            found = {name: elf.get_section_by_name(name) for name in names}
            return {name: section.data() for name, section in found.items() if section is not None}
    except (ELFParseError, ConstructError, OverflowError, zlib.error) as error:
        raise UsageError(
            f"{what} is a truncated or damaged ELF file", next_step="copy or build it again"
        ) from error
    except ELFError:
        pass
    raise UsageError(
        f"{what} is not a 64-bit ELF file", next_step="give uncompressed .ko modules of a 64-bit kernel"
    )


def parse_module(image: bytes, what: str) -> ModuleInfo:
    """Parse the bytes of a ``.ko``; ``what`` names it. UsageError if it is not a kernel module."""
    found = sections(image, what, ".modinfo", ".note.gnu.build-id", "__versions")
    if ".modinfo" not in found:
        raise UsageError(
            f"{what} is not a kernel module (no .modinfo)", next_step="give the .ko files of the kernel"
        )
    words: dict[str, str] = {}
    parameters: set[str] = set()
    for entry in found[".modinfo"].split(b"\0"):
        key, _, value = entry.decode("utf-8", "replace").partition("=")
        if key in ("parmtype", "parm"):
            parameters.add(value.partition(":")[0])
        elif key:
            words.setdefault(key, value)
    return ModuleInfo(
        name=words.get("name", Path(what).stem),
        depends=tuple(name for name in words.get("depends", "").split(",") if name),
        release=words.get("vermagic", "").split(" ", 1)[0],
        parameters=frozenset(parameters),
        build_id=gnu_build_id(found.get(".note.gnu.build-id", b"")),
        vermagic=words.get("vermagic", "").strip(),
        srcversion=words.get("srcversion") or None,
        arch=_ARCHES.get(int.from_bytes(image[18:20], "little")),
        checksums=_checksums(found.get("__versions", b"")),
        signed=image.endswith(_SIGNED),
    )


def _checksums(table: bytes) -> dict[str, int]:
    whole = table[: len(table) - len(table) % _VERSION.size]
    return {
        name.partition(b"\0")[0].decode("utf-8", "replace"): checksum
        for checksum, name in _VERSION.iter_unpack(whole)
    }
