"""Images of both architectures: facts, and what QEMU is given."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.virtual.kernels import user_bundle
from harness.virtual.kernels.image import ImageFacts, bootable, read_image
from tests.stand_ins.elf import module
from tests.unit.virtual.test_kernels_bzimage import bzimage

BANNER = b"Linux version 6.12.118-mine (me@host) (gcc 14) #1 SMP\n\0"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))


def arm64(pages: int = 1, banner: bytes = BANNER) -> bytes:
    """An Image as far as the suite reads it; ``pages`` are the header's two bits."""
    header = bytearray(64)
    struct.pack_into("<Q", header, 24, (pages << 1) | 8)
    header[56:60] = b"ARM\x64"
    return bytes(header) + bytes(1000) + banner + bytes(1000)


def zboot(payload: bytes, method: bytes = b"gzip") -> bytes:
    header = bytearray(256)
    header[:2] = b"MZ"
    header[4:8] = b"zimg"
    struct.pack_into("<II", header, 8, 256, len(payload))
    header[24 : 24 + len(method)] = method
    return bytes(header) + payload + bytes(64)


@pytest.mark.parametrize(("bits", "page_kb"), [(1, 4), (2, 16), (3, 64)])
def test_page_size_is_in_the_header(tmp_path: Path, bits: int, page_kb: int) -> None:
    path = tmp_path / "Image"
    path.write_bytes(arm64(bits))
    assert read_image(path) == ImageFacts("aarch64", "6.12.118-mine", page_kb)
    assert bootable(path) == path


def test_bzimage(tmp_path: Path) -> None:
    path = bzimage(tmp_path / "bzImage", b"6.1.0-99-cloud-amd64 (x) #1\0")
    assert read_image(path) == ImageFacts("x86_64", "6.1.0-99-cloud-amd64", 4)
    assert bootable(path) == path


@pytest.mark.parametrize(
    "packed", [gzip.compress(arm64(), mtime=0), zboot(gzip.compress(arm64(), mtime=0))]
)
def test_packed_image_is_unpacked_for_qemu(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(packed)
    assert read_image(path).release == "6.12.118-mine"
    assert bootable(path) != path
    assert bootable(path).read_bytes() == arm64()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zboot(b"", b"zstd22"), "EFI image packed by zstd22 -> give arch/arm64/boot/Image"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0damaged", "damaged gzip file"),
        (arm64(banner=b""), "contains no kernel release"),
        (arm64(pages=0), "contains no page size"),
        (gzip.compress(b"a text", mtime=0), "neither a bzImage nor an arm64 Image"),
        (b"", "neither a bzImage nor an arm64 Image"),
    ],
)
def test_unusable_image(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(words)):
        read_image(path)


def test_own_kernel_of_arm64_has_a_base_of_its_own(tmp_path: Path) -> None:
    image = tmp_path / "Image"
    image.write_bytes(arm64(2))
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "zram.ko").write_bytes(module("zram", "zsmalloc", "6.12.118-mine"))
    (modules / "zsmalloc.ko").write_bytes(module("zsmalloc", "", "6.12.118-mine"))
    bundle = user_bundle(image, modules)
    assert str(bundle.base) == "6.12-arm64-16k"
    assert [load.name for load in bundle.modules] == ["zsmalloc", "zram"]
