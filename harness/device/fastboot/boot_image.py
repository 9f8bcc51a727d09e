"""Headers of boot images, and where the kernel is in them.

Layout: system/tools/mkbootimg/include/bootimg/bootimg.h of the Android platform.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import UsageError

BOOT_MAGIC: Final = b"ANDROID!"
VENDOR_MAGIC: Final = b"VNDRBOOT"
HEADER_MAX: Final = 4096

_VERSION_AT: Final = 40
_V0: Final = struct.Struct("<8s10I16s512s32s1024s")
_V1: Final = struct.Struct("<IQI")
_V2: Final = struct.Struct("<IQ")
_V3: Final = struct.Struct("<8s4I4II1536s")
#: Page size of headers of version 3 and later.
_PAGE: Final = 4096


@dataclass(frozen=True)
class BootHeader:
    """Header of a ``boot`` or ``init_boot`` image; offsets and sizes in bytes.

    ``os_version`` is for example ``14.0.0`` and ``patch_level`` ``2024-05``; empty where the
    header has 0. ``end`` is where the last section ends: a shorter file is truncated.
    """

    version: int
    page_size: int
    kernel_at: int
    kernel_size: int
    ramdisk_size: int
    end: int
    os_version: str
    patch_level: str
    cmdline: str


def read_boot_header(path: Path) -> BootHeader:
    """Read the header of a boot image, versions 0 to 4.

    UsageError if ``path`` cannot be read, is not a boot image, is truncated, or has a newer header.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_MAX)
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if head[:8] != BOOT_MAGIC or len(head) < _VERSION_AT + 4:
        raise UsageError(
            f"{path} is not a boot image: it does not start with {BOOT_MAGIC.decode()}",
            next_step="give the boot.img that mkbootimg made, not a kernel Image",
        )
    try:
        header = _parse(head)
    except struct.error as error:
        raise UsageError(f"{path} is truncated inside its header") from error
    if header is None:
        (version,) = struct.unpack_from("<I", head, _VERSION_AT)
        raise UsageError(f"{path} has a boot header of version {version}; only 0 to 4 are supported")
    if size < header.end:
        raise UsageError(
            f"{path} is truncated: its header describes {header.end} bytes, but it has {size}",
            next_step="copy it again",
        )
    return header


def _parse(head: bytes) -> BootHeader | None:
    (version,) = struct.unpack_from("<I", head, _VERSION_AT)
    if version > 4:
        return None
    if version <= 2:
        fields = _V0.unpack_from(head)
        page_size, os_word, cmdline = fields[8], fields[10], _text(fields[12]) + _text(fields[14])
        sections = [fields[1], fields[3], fields[5]]
        if version >= 1:
            sections.append(_V1.unpack_from(head, _V0.size)[0])
        if version == 2:
            sections.append(_V2.unpack_from(head, _V0.size + _V1.size)[0])
        if page_size == 0:
            raise struct.error("a page size of 0")
    else:
        fields = _V3.unpack_from(head)
        page_size, os_word, cmdline = _PAGE, fields[3], _text(fields[-1])
        sections = [fields[1], fields[2]]
        if version == 4:
            sections.append(struct.unpack_from("<I", head, _V3.size)[0])
    return BootHeader(
        version=version,
        page_size=page_size,
        kernel_at=page_size,
        kernel_size=sections[0],
        ramdisk_size=sections[1],
        end=_end(page_size, sections),
        os_version=_os_version(os_word),
        patch_level=_patch_level(os_word),
        cmdline=cmdline,
    )


def _end(page_size: int, sections: list[int]) -> int:
    """Where the last non-empty section ends; each starts on a new page."""
    at = end = page_size
    for size in sections:
        if size:
            end = at + size
        at += -(-size // page_size) * page_size
    return end


def _os_version(word: int) -> str:
    numbers = word >> 25 & 0x7F, word >> 18 & 0x7F, word >> 11 & 0x7F
    return ".".join(map(str, numbers)) if any(numbers) else ""


def _patch_level(word: int) -> str:
    year, month = word >> 4 & 0x7F, word & 0xF
    return f"{2000 + year}-{month:02d}" if month else ""


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
