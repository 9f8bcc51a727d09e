"""Metadata of kernel modules: .modinfo and the GNU build id."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError
from harness.device.notes import gnu_build_id


@dataclass(frozen=True)
class ModuleInfo:
    """The .modinfo of a module: ``name``, ``depends`` (module names), ``release`` (first word of vermagic)
    and ``parameters`` (names); ``build_id`` in hex, None without a note."""

    name: str
    depends: tuple[str, ...]
    release: str
    parameters: frozenset[str]
    build_id: str | None


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
        f"{what} is not a 64-bit ELF file", next_step="give uncompressed .ko modules of an x86_64 kernel"
    )


def parse_module(image: bytes, what: str) -> ModuleInfo:
    """Parse the bytes of a ``.ko``; ``what`` names it. UsageError if it is not a kernel module."""
    found = sections(image, what, ".modinfo", ".note.gnu.build-id")
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
    )
