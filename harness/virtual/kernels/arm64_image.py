"""The header of an arm64 Image, its page size and its release; packed Images are unpacked.

Layout: Linux Documentation/arch/arm64/booting.rst, "Call the kernel image"; that of an EFI
zboot image: drivers/firmware/efi/libstub/zboot-header.S.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from foundation.errors import UsageError

_MAGIC_AT = 56
_MAGIC = b"ARM\x64"
_FLAGS_AT = 24
# Bits 1 and 2 of the flags.
_PAGE_KB = {1: 4, 2: 16, 3: 64}
_GZIP = b"\x1f\x8b"
_ZBOOT = b"zimg"
_ZBOOT_AT = 4
_ZBOOT_PAYLOAD_AT = 8
_ZBOOT_METHOD_AT = 24
_BANNER = re.compile(rb"Linux version (\S+) \(")


def raw_image(content: bytes, what: str) -> bytes | None:
    """The Image in ``content``, which may be packed by gzip or be an EFI zboot image; None for others.

    UsageError for a damaged one, and for a zboot image of another compression; ``what`` names it.
    """
    if content[_ZBOOT_AT : _ZBOOT_AT + 4] == _ZBOOT:
        method = content[_ZBOOT_METHOD_AT : _ZBOOT_METHOD_AT + 32].split(b"\0", 1)[0]
        if method != b"gzip":
            raise UsageError(
                f"{what} is an EFI image packed by {method.decode('ascii', 'replace')}",
                next_step="give arch/arm64/boot/Image",
            )
        offset, size = struct.unpack_from("<II", content, _ZBOOT_PAYLOAD_AT)
        content = content[offset : offset + size]
    if content[:2] == _GZIP:
        unpacking = zlib.decompressobj(wbits=31)
        try:
            content = unpacking.decompress(content)
        except zlib.error:
            content = b""
        if not unpacking.eof:
            raise UsageError(f"{what} is a damaged gzip file", next_step="copy or build it again")
    return content if content[_MAGIC_AT : _MAGIC_AT + 4] == _MAGIC else None


def release_and_pages(image: bytes, what: str) -> tuple[str, int]:
    """Kernel release and page size in KiB of a `raw_image`. UsageError if it lacks one."""
    banner = _BANNER.search(image)
    (flags,) = struct.unpack_from("<Q", image, _FLAGS_AT)
    page_kb = _PAGE_KB.get((flags >> 1) & 3)
    if banner is None or page_kb is None:
        lacks = "kernel release" if banner is None else "page size"
        raise UsageError(f"{what} contains no {lacks}", next_step="build it again; the image is damaged")
    return banner[1].decode("ascii", "replace"), page_kb


def read_bytes(path: Path) -> bytes:
    """Content of an image file. UsageError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the kernel image {path}: {error.strerror}") from error
