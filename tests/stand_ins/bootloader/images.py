"""Boot images built for tests: a header of any version, a kernel that identifies itself, and a fate.

What the fake phone does with an image is written into it as one line of JSON, apart from the
kernel's own banner: the suite reads the one, the fake the other.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
from dataclasses import asdict, dataclass
from typing import Final, Literal

import pyarrow as pa

Fate = Literal["boots", "panics", "hangs", "no-android", "to-bootloader"]
Packing = Literal["none", "gzip", "lz4-legacy", "lz4", "zstd", "xz", "bzip2"]

_MARK: Final = b"\nFAKE KERNEL "
_PAGE: Final = 4096


@dataclass(frozen=True)
class FakeKernel:
    """What the fake phone runs once it starts the image, or why it does not."""

    release: str
    version: str = "#1 SMP PREEMPT Thu Jan 1 00:00:00 UTC 1970"
    build_id: str = "0123456789abcdef0123456789abcdef01234567"
    fate: Fate = "boots"

    @property
    def note(self) -> bytes:
        """As /sys/kernel/notes holds it."""
        content = bytes.fromhex(self.build_id)
        return struct.pack("<III", 4, len(content), 3) + b"GNU\0" + content

    def banner(self) -> bytes:
        return (
            f"Linux version {self.release} (build-user@build-host) (Android (11368308) clang version 18.0.0"
            f" (https://example.org/llvm 1), LLD 18.0.0) {self.version}\n\0"
        ).encode()

    def payload(self, packing: Packing = "gzip", *, vdso: bool = True) -> bytes:
        """An uncompressed Image of 2 MiB, and what packs it."""
        image = bytearray(2 << 20)
        image[0x38:0x3C] = b"ARM\x64"
        weak = self.banner().replace(b" #1 ", b" # ")
        image[0x8000 : 0x8000 + len(weak)] = weak
        image[0x10000 : 0x10000 + len(self.banner())] = self.banner()
        image[0x20000 : 0x20000 + len(self.note)] = self.note
        if vdso:
            inner = FakeKernel(self.release, build_id="ff" * 20).note
            elf = b"\x7fELF\x02\x01\x01".ljust(40, b"\0") + struct.pack("<Q", 1024)
            elf = elf.ljust(58, b"\0") + struct.pack("<HH", 64, 4)
            image[0x40000 : 0x40000 + len(elf)] = elf
            image[0x40100 : 0x40100 + len(inner)] = inner
        return pack(bytes(image), packing)

    def as_line(self) -> bytes:
        return _MARK + json.dumps(asdict(self)).encode() + b"\n"


def pack(image: bytes, packing: Packing) -> bytes:
    if packing == "gzip":
        return gzip.compress(image, mtime=0)
    if packing == "lz4-legacy":
        out = bytearray(b"\x02\x21\x4c\x18")
        for at in range(0, len(image), 8 << 20):
            block = pa.Codec("lz4_raw").compress(image[at : at + (8 << 20)], asbytes=True)
            out += struct.pack("<I", len(block)) + block
        return bytes(out)
    if packing in ("lz4", "zstd"):
        return bytes(pa.compress(image, codec=packing, asbytes=True))
    if packing == "xz":
        return lzma.compress(image)
    return bz2.compress(image) if packing == "bzip2" else image


def fate_of(content: bytes) -> FakeKernel | None:
    """The kernel that a partition or a download holds, or None."""
    _, mark, rest = content.rpartition(_MARK)
    return FakeKernel(**json.loads(rest.partition(b"\n")[0])) if mark else None


def boot_image(
    kernel: FakeKernel,
    *,
    header: int = 4,
    packing: Packing = "gzip",
    page: int = 2048,
    payload: bytes | None = None,
) -> bytes:
    """A boot.img with a header of that version; ``page`` counts up to version 2."""
    content = kernel.payload(packing) if payload is None else payload
    ramdisk = b"ramdisk" + kernel.as_line()
    os_word = 14 << 25 | (2024 - 2000) << 4 | 5
    if header >= 3:
        head = b"ANDROID!" + struct.pack("<4I", len(content), len(ramdisk), os_word, 1584)
        head += b"\0" * 16 + struct.pack("<I", header) + b"console=ttyS0".ljust(1536, b"\0")
        return _sections(head + struct.pack("<I", 0), [content, ramdisk], _PAGE)
    sizes = (len(content), 0x8000, len(ramdisk), 0x1000000, 0, 0, 0x100, page, header, os_word)
    head = b"ANDROID!" + struct.pack("<10I", *sizes) + b"fake".ljust(16, b"\0")
    head += b"console=ttyS0".ljust(512, b"\0") + b"\0" * 32 + b"\0" * 1024
    sections = [content, ramdisk, b""]
    if header >= 1:
        head += struct.pack("<IQI", 0, 0, 1660)
        sections.append(b"")
    if header >= 2:
        dtb = b"\xd0\x0d\xfe\xed" + b"\0" * 100
        head += struct.pack("<IQ", len(dtb), 0)
        sections.append(dtb)
    return _sections(head, sections, page)


def _sections(head: bytes, sections: list[bytes], page: int) -> bytes:
    out = bytearray(head.ljust(page, b"\0"))
    for section in sections:
        out += section + b"\0" * (-len(section) % page)
    return bytes(out)


def init_boot_image() -> bytes:
    head = b"ANDROID!" + struct.pack("<4I", 0, 8, 0, 1584) + b"\0" * 16 + struct.pack("<I", 4)
    return _sections(head.ljust(1584, b"\0"), [b"ramdisk!"], _PAGE)


def vendor_boot_image(text: bytes = b"vendor") -> bytes:
    return b"VNDRBOOT" + struct.pack("<II", 4, _PAGE) + text.ljust(_PAGE, b"\0")


def dtbo_image() -> bytes:
    return b"\xd7\xb7\xab\x1e" + b"\0" * 4096


def vbmeta_image(flags: int = 0) -> bytes:
    return b"AVB0".ljust(120, b"\0") + struct.pack(">I", flags) + b"\0" * 132
