"""Release, version and build id of a kernel image, compressed or not."""

from __future__ import annotations

import bisect
import bz2
import contextlib
import io
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any, Final

import pyarrow as pa

from harness.device.notes import gnu_build_id

#: Upper bound for an unpacked kernel image.
UNPACKED_MAX: Final = 256 << 20

_LZ4_LEGACY: Final = b"\x02\x21\x4c\x18"
_LZ4_LEGACY_BLOCK: Final = 8 << 20

# linux_banner of init/version.c (version-timestamp.c since 6.1): "Linux version RELEASE (USER@HOST)
# (COMPILER) VERSION\n". The compiler's text contains parentheses, the version starts with #.
_BANNER: Final = re.compile(rb"Linux version ([\x21-\x7e]+) \([^\n\0]*?\) (#[^\n\0]+)\n")
_NUMBERED: Final = re.compile(r"#\d")
#: Header of the note with the build id, of any length.
_NOTE: Final = re.compile(rb"\x04\0\0\0[\x08-\x20]\0\0\0\x03\0\0\0GNU\0")
_ELF: Final = b"\x7fELF"
_ELF_HEADER_BYTES: Final = 64


@dataclass(frozen=True)
class KernelFingerprint:
    """``release`` is ``uname -r``, ``version`` ``uname -v``, ``build_id`` that of /sys/kernel/notes.

    Unknown ones are None.
    """

    release: str | None = None
    version: str | None = None
    build_id: str | None = None

    def differs_from(self, other: KernelFingerprint) -> bool:
        """Whether a value that both know differs."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(one is not None and two is not None and one != two for one, two in pairs)

    def with_release(self, release: str | None) -> KernelFingerprint:
        """The same with the release that the user states, which overrides the one in the image."""
        return self if release is None else replace(self, release=release)

    def __str__(self) -> str:
        known = [self.release, self.version, self.build_id and f"build id {self.build_id}"]
        return ", ".join(filter(None, known)) or "unknown"


def fingerprint_of(payload: bytes) -> KernelFingerprint:
    """Fingerprint of the kernel in ``payload``: Image or zImage; gzip, lz4, xz, lzma, bzip2 or zstd.

    What is missing or ambiguous is None.
    """
    for image in _unpacked(payload):
        banners = {
            (release.decode(), version.decode("ascii", "replace"))
            for release, version in _BANNER.findall(image)
        }
        # Since 6.1 (init/version.c) the image also contains a weak copy without the build number.
        numbered = {banner for banner in banners if _NUMBERED.match(banner[1])} or banners
        if banners:
            releases = {release for release, _ in numbered}
            versions = {version for _, version in numbered if _NUMBERED.match(version)}
            return KernelFingerprint(_only(releases), _only(versions), _kernel_build_id(image))
    return KernelFingerprint()


def _only(values: set[str]) -> str | None:
    return values.pop() if len(values) == 1 else None


def _unpacked(payload: bytes) -> Iterator[bytes]:
    """``payload`` itself, then what it unpacks to; a device tree may follow the stream."""
    yield payload
    for magic, unpack in _UNPACKERS:
        if payload.startswith(magic):
            yield unpack(payload)
            return
    # A 32-bit zImage and an EFI zboot image contain the stream at a later offset.
    for magic, unpack in _INNER:
        at = payload.find(magic, 1)
        while 0 <= at < min(len(payload), 1 << 20):
            image = unpack(payload[at:])
            if len(image) > 1 << 20:
                yield image
                return
            at = payload.find(magic, at + 1)


def _first_stream(decompressor: Callable[[], Any]) -> Callable[[bytes], bytes]:
    """Decompress one stream and ignore what follows it; empty for a damaged one."""

    def unpack(data: bytes) -> bytes:
        try:
            return bytes(decompressor().decompress(data, UNPACKED_MAX))
        except (zlib.error, lzma.LZMAError, OSError, EOFError):
            return b""

    return unpack


def _unlz4_legacy(data: bytes) -> bytes:
    """Unpack blocks of 8 MiB, each preceded by its size. Source: lz4_Frame_format.md, "Legacy frame"."""
    codec = pa.Codec("lz4_raw")
    out = bytearray()
    at = len(_LZ4_LEGACY)
    while at + 4 <= len(data) and len(out) < UNPACKED_MAX:
        (size,) = struct.unpack_from("<I", data, at)
        block = data[at + 4 : at + 4 + size]
        if not 0 < size <= _LZ4_LEGACY_BLOCK * 2 or len(block) < size:
            break
        content = _unlz4(codec, block)
        if not content:
            break
        out += content
        at += 4 + size
    return bytes(out)


def _unlz4(codec: pa.Codec, block: bytes) -> bytes:
    """One block; empty if it is damaged.

    pyarrow does not report the size of the content, and leaves the rest of its buffer uninitialised:
    there may be another kernel in it. The content's size is the smallest buffer that it fits into.
    """

    def unpack(size: int) -> bytes:
        try:
            return bytes(codec.decompress(block, decompressed_size=size, asbytes=True))
        except (OSError, pa.ArrowException):
            return b""

    if not unpack(_LZ4_LEGACY_BLOCK - 1):
        return unpack(_LZ4_LEGACY_BLOCK)
    fits = bisect.bisect_left(range(1, _LZ4_LEGACY_BLOCK), True, key=lambda size: bool(unpack(size)))
    return unpack(fits + 1)


def _stream(codec: str) -> Callable[[bytes], bytes]:
    def unpack(data: bytes) -> bytes:
        out = bytearray()
        try:
            with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
                while len(out) < UNPACKED_MAX and (part := stream.read(1 << 20)):
                    out += part
        except (OSError, pa.ArrowException):
            # Data that follows the stream is not part of it.
            return bytes(out)
        return bytes(out)

    return unpack


_UNPACKERS: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b\x08", _first_stream(lambda: zlib.decompressobj(wbits=31))),
    (_LZ4_LEGACY, _unlz4_legacy),
    (b"\x04\x22\x4d\x18", _stream("lz4")),
    (b"\x28\xb5\x2f\xfd", _stream("zstd")),
    (b"\xfd7zXZ\0", _first_stream(lzma.LZMADecompressor)),
    (b"\x5d\0\0", _first_stream(lzma.LZMADecompressor)),
    (b"BZh", _first_stream(bz2.BZ2Decompressor)),
)
_INNER: Final = tuple(
    (magic, unpack) for magic, unpack in _UNPACKERS if len(magic) >= 3 and magic != b"\x5d\0\0"
)


def _kernel_build_id(image: bytes) -> str | None:
    """The build id of the kernel itself, not of the vDSOs, which are whole ELF files inside it."""
    embedded = list(_elf_extents(image))
    build_ids = set()
    for match in _NOTE.finditer(image):
        at = match.start()
        if at % 4 == 0 and not any(start <= at < end for start, end in embedded):
            build_ids.add(gnu_build_id(image[at : at + 64]) or "")
    return _only(build_ids - {""})


def _elf_extents(image: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each ELF file inside ``image``, by its section headers, which come last."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    at = image.find(_ELF)
    while at >= 0:
        with contextlib.suppress(ELFError):
            header = ELFFile(io.BytesIO(image[at : at + _ELF_HEADER_BYTES])).header
            if header.e_shoff < 1 << 20:
                yield at, at + header.e_shoff + header.e_shentsize * header.e_shnum
        at = image.find(_ELF, at + 1)
