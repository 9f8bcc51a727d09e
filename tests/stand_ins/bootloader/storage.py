"""Partitions and slots of the fake phone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
RETRIES: Final = 3

#: Partitions of a phone of two slots with dynamic partitions, and their sizes in bytes.
STATIC: Final = {
    "boot": 8 * MIB,
    "init_boot": 2 * MIB,
    "vendor_boot": 4 * MIB,
    "dtbo": 1 * MIB,
    "vbmeta": 64 * 1024,
}
DYNAMIC: Final = {"system": 2 * MIB, "vendor": MIB, "vendor_dlkm": 4 * MIB}
SUPER: Final = 20 * MIB

_SPARSE_MAGIC: Final = 0xED26FF3A
_SPARSE_HEADER: Final = struct.Struct("<IHHHHIIII")
_SPARSE_CHUNK: Final = struct.Struct("<HHII")
_RAW, _FILL, _SKIP = 0xCAC1, 0xCAC2, 0xCAC3


@dataclass
class Slot:
    """How the bootloader thinks of one slot."""

    successful: bool = True
    unbootable: bool = False
    retries: int = RETRIES

    def activated(self) -> None:
        """What set_active does besides choosing the slot."""
        self.successful, self.unbootable, self.retries = False, False, RETRIES


class Storage:
    """What is on the flash: partitions of both slots (or of none), and which slot is active."""

    def __init__(self, *, slots: bool = True) -> None:
        self.slots = {"a": Slot(), "b": Slot()} if slots else {}
        self.active = "a" if slots else ""
        suffixes = [f"_{slot}" for slot in self.slots] or [""]
        self.sizes = {
            name + suffix: size for name, size in (STATIC | DYNAMIC).items() for suffix in suffixes
        }
        self.dynamic = {name + suffix for name in DYNAMIC for suffix in suffixes}
        self.content = dict.fromkeys(self.sizes, b"\0" * 64)
        self.writes: list[str] = []

    def keep_one_system(self) -> None:
        """As after an update or a factory image on Virtual A/B: only the active slot has its partitions.

        Source: `fastboot getvar all` of a Pixel 7 Pro (RealFX-Code/Fastboot-GUI, Form1.cs): ``vendor_b``,
        ``product_b`` and ``vendor_dlkm_b`` have 0x0 bytes, ``system_b`` a tenth of ``system_a``'s, and
        ``slot-successful:b`` is no while ``slot-unbootable:b`` is no as well.
        """
        for partition in self.dynamic:
            if not partition.endswith(f"_{self.active}"):
                self.sizes[partition] = MIB // 4 if partition.startswith("system") else 0

    def has_system(self, slot: str) -> bool:
        """Whether first-stage init finds what it mounts."""
        return all(self.sizes[name] for name in self.dynamic if not slot or name.endswith(f"_{slot}"))

    def base(self, partition: str) -> str:
        """The name without its slot."""
        return partition[:-2] if self.slots and partition[-2:-1] == "_" else partition

    def of_slot(self, name: str, slot: str) -> bytes:
        return self.content[f"{name}_{slot}" if self.slots else name]

    def resize(self, partition: str, size: int) -> str | None:
        """As fastbootd: partitions of super grow while there is room; why not, or None."""
        if partition not in self.dynamic:
            return f"Partition {partition} is not logical"
        others = sum(self.sizes[name] for name in self.dynamic if name != partition)
        if others + size > SUPER:
            return "Not enough space to resize partition"
        self.sizes[partition] = size
        return None

    def write(self, partition: str, data: bytes) -> str | None:
        """Store an image, sparse or raw; why it cannot be, or None."""
        if partition not in self.sizes:
            return f"partition ({partition}) not found"
        if data[:4] == struct.pack("<I", _SPARSE_MAGIC):
            data = unsparse(data, self.content[partition])
        if len(data) > self.sizes[partition]:
            return "Size exceeds partition"
        self.content[partition] = data
        self.writes.append(partition)
        return None


def unsparse(data: bytes, before: bytes) -> bytes:
    """Expand a sparse image over ``before``. Source of the format: system/core/libsparse."""
    _, _, _, header, chunk_header, block, blocks, chunks, _ = _SPARSE_HEADER.unpack_from(data)
    out = bytearray(before.ljust(block * blocks, b"\0"))
    at, to = header, 0
    for _ in range(chunks):
        kind, _, count, total = _SPARSE_CHUNK.unpack_from(data, at)
        body = data[at + chunk_header : at + total]
        if kind == _RAW:
            out[to : to + len(body)] = body
        elif kind == _FILL:
            out[to : to + count * block] = body * (count * block // 4)
        if kind in (_RAW, _FILL, _SKIP):
            to += count * block
        at += total
    return bytes(out)
