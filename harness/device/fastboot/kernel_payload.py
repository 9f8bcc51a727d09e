"""How a kernel image identifies itself: release, version and build id, compressed or not."""

from __future__ import annotations

import bz2
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any, Final

import pyarrow as pa

from harness.device.notes import build_id

#: Upper limit of a decompressed kernel image, bytes.
UNPACKED_MAX: Final = 256 << 20

_LZ4_LEGACY: Final = b"\x02\x21\x4c\x18"
_LZ4_LEGACY_BLOCK: Final = 8 << 20

# linux_banner of init/version.c (version-timestamp.c since 6.1): "Linux version RELEASE (USER@HOST)
# (COMPILER) VERSION\n". The compiler's own text holds parentheses; the version starts with #.
_BANNER: Final = re.compile(rb"Linux version ([\x21-\x7e]+) \([^\n\0]*?\) (#[^\n\0]+)\n")
_NUMBERED: Final = re.compile(r"#\d")
#: Header of the note that holds the build id, of whatever length.
_NOTE: Final = re.compile(rb"\x04\0\0\0[\x08-\x20]\0\0\0\x03\0\0\0GNU\0")
_ELF64: Final = b"\x7fELF\x02\x01\x01"
_ELF32: Final = b"\x7fELF\x01\x01\x01"


@dataclass(frozen=True)
class KernelFingerprint:
    """``release`` is ``uname -r``, ``version`` ``uname -v``, ``build_id`` that of /sys/kernel/notes.

    None: not known.
    """

    release: str | None = None
    version: str | None = None
    build_id: str | None = None

    def differs_from(self, other: KernelFingerprint) -> bool:
        """Whether a part that both know is different."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(one is not None and two is not None and one != two for one, two in pairs)

    def with_release(self, release: str | None) -> KernelFingerprint:
        """The same with ``release``, if one is given, instead of its own."""
        return self if release is None else replace(self, release=release)

    def __str__(self) -> str:
        parts = [self.release, self.version, self.build_id and f"build id {self.build_id}"]
        return ", ".join(filter(None, parts)) or "unknown"


def fingerprint_of(payload: bytes) -> KernelFingerprint:
    """Identify the kernel in ``payload`` (Image, zImage; gzip, lz4, xz, lzma, bzip2, zstd).

    Parts that are not found, or are ambiguous, are None.
    """
    for image in _unpacked(payload):
        banners = {
            (release.decode(), version.decode("ascii", "replace"))
            for release, version in _BANNER.findall(image)
        }
        # Since 6.1 (init/version.c) the image also holds a weak copy without the build number.
        numbered = {banner for banner in banners if _NUMBERED.match(banner[1])} or banners
        if banners:
            releases = {release for release, _ in numbered}
            versions = {version for _, version in numbered if _NUMBERED.match(version)}
            return KernelFingerprint(_only(releases), _only(versions), _kernel_build_id(image))
    return KernelFingerprint()


def _only(values: set[str]) -> str | None:
    return values.pop() if len(values) == 1 else None


def _unpacked(payload: bytes) -> Iterator[bytes]:
    """``payload`` itself, and what it decompresses to; a device tree may follow the stream."""
    yield payload
    for magic, unpack in _UNPACKERS:
        if payload.startswith(magic):
            yield unpack(payload)
            return
    # In a 32-bit zImage and in an EFI zboot image the stream starts further inside.
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
    """Blocks of 8 MiB, each preceded by its size. Source: lz4_Frame_format.md, "Legacy frame"."""
    codec = pa.Codec("lz4_raw")
    out = bytearray()
    at = len(_LZ4_LEGACY)
    while at + 4 <= len(data) and len(out) < UNPACKED_MAX:
        (size,) = struct.unpack_from("<I", data, at)
        block = data[at + 4 : at + 4 + size]
        if not 0 < size <= _LZ4_LEGACY_BLOCK * 2 or len(block) < size:
            break
        try:
            out += codec.decompress(block, decompressed_size=_LZ4_LEGACY_BLOCK, asbytes=True)
        except (OSError, pa.ArrowException):
            break
        at += 4 + size
    return bytes(out)


def _arrow_stream(codec: str) -> Callable[[bytes], bytes]:
    def unpack(data: bytes) -> bytes:
        out = bytearray()
        try:
            with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
                while len(out) < UNPACKED_MAX and (part := stream.read(1 << 20)):
                    out += part
        except (OSError, pa.ArrowException):
            # Data after the stream does not belong to it.
            pass
        return bytes(out)

    return unpack


_UNPACKERS: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b\x08", _first_stream(lambda: zlib.decompressobj(wbits=31))),
    (_LZ4_LEGACY, _unlz4_legacy),
    (b"\x04\x22\x4d\x18", _arrow_stream("lz4")),
    (b"\x28\xb5\x2f\xfd", _arrow_stream("zstd")),
    (b"\xfd7zXZ\0", _first_stream(lzma.LZMADecompressor)),
    (b"\x5d\0\0", _first_stream(lzma.LZMADecompressor)),
    (b"BZh", _first_stream(bz2.BZ2Decompressor)),
)
_INNER: Final = tuple(
    (magic, unpack) for magic, unpack in _UNPACKERS if len(magic) >= 3 and magic != b"\x5d\0\0"
)


def _kernel_build_id(image: bytes) -> str | None:
    """The build id of the kernel, not of the vDSOs, which are ELF files inside it."""
    vdsos = list(_elf_extents(image))
    notes = [match.start() for match in _NOTE.finditer(image) if match.start() % 4 == 0]
    outside = [at for at in notes if not any(start <= at < end for start, end in vdsos)]
    return _only({note for at in outside if (note := build_id(image[at : at + 64])) is not None})


def _elf_extents(image: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each ELF file inside ``image``, by its section headers, which come last."""
    for magic, layout, at_of in ((_ELF64, "<Q", (40, 58)), (_ELF32, "<I", (32, 46))):
        at = image.find(magic)
        while at >= 0:
            if at + 64 <= len(image):
                (sections_at,) = struct.unpack_from(layout, image, at + at_of[0])
                size, count = struct.unpack_from("<HH", image, at + at_of[1])
                if sections_at < 1 << 20:
                    yield at, at + sections_at + size * count
            at = image.find(magic, at + 1)
