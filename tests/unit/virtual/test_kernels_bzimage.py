"""The release in a bzImage's header."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.virtual.kernels import user_bundle
from harness.virtual.kernels.bzimage import release_of
from tests.stand_ins.elf import module


def bzimage(path: Path, version: bytes, pointer: int = 0x3000) -> Path:
    image = bytearray(0x8000)
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, pointer)
    at = 0x200 + pointer
    image[at : at + len(version)] = version
    path.write_bytes(image)
    return path


def test_release_is_the_first_word(tmp_path: Path) -> None:
    image = bzimage(tmp_path / "bzImage", b"6.1.0-99-cloud-amd64 (somebody@host) #1 SMP\0rest")
    assert release_of(image) == "6.1.0-99-cloud-amd64"


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(2000), bytes(600)])
def test_other_files_are_not_images(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="vmlinux is neither a bzImage nor an arm64 Image"):
        release_of(path)


@pytest.mark.parametrize(
    ("version", "pointer"), [(b"6", 0), (b"", 0x3000), (b"\x01\x02", 0x3000), (b"", 0xFFFF)]
)
def test_image_without_a_release(tmp_path: Path, version: bytes, pointer: int) -> None:
    path = bzimage(tmp_path / "bzImage", version, pointer)
    with pytest.raises(UsageError, match="kernel release"):
        release_of(path)


def test_absent_image(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        release_of(tmp_path / "bzImage")


def test_own_kernel_with_its_modules(tmp_path: Path) -> None:
    image = bzimage(tmp_path / "bzImage", b"6.1.0-mine x\0")
    folder = tmp_path / "lib" / "modules" / "6.1.0-mine" / "kernel"
    folder.mkdir(parents=True)
    (folder / "zram.ko").write_bytes(
        module("zram", "zsmalloc", "6.1.0-mine", ("kcompressd_threads", "num_devices"), b"\xab\xcd")
    )
    (folder / "zsmalloc.ko").write_bytes(module("zsmalloc", "", "6.1.0-mine"))
    bundle = user_bundle(image, tmp_path)
    assert (bundle.name, bundle.release, bundle.image) == ("kernel", "6.1.0-mine", image)
    assert [load.name for load in bundle.modules] == ["zsmalloc", "zram"]
    assert bundle.build_ids == {"zram": "abcd"}
    assert bundle.compression_thread


def test_own_kernel_with_everything_built_in(tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    bundle = user_bundle(bzimage(tmp_path / "bzImage", b"6.1.0-mine x\0"), modules)
    assert bundle.modules == ()
    assert bundle.build_ids == {}
    assert not bundle.compression_thread


def test_modules_of_another_build(tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "zram.ko").write_bytes(module("zram", "", "6.6.0-theirs"))
    with pytest.raises(
        UsageError, match=r"zram\.ko is for kernel 6\.6\.0-theirs, the image is 6\.1\.0-mine"
    ):
        user_bundle(bzimage(tmp_path / "bzImage", b"6.1.0-mine x\0"), modules)


def test_modules_folder_is_absent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        user_bundle(bzimage(tmp_path / "bzImage", b"6.1.0-mine x\0"), tmp_path / "none")
