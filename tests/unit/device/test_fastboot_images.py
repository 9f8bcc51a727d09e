"""Boot headers, how a kernel identifies itself, and image sets."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path
from typing import get_args

import pytest

from foundation.errors import UsageError
from harness.device.fastboot.boot_image import read_boot_header
from harness.device.fastboot.images import (
    HASHTREE_DISABLED,
    load_boot_image,
    load_image_set,
    read_image,
)
from harness.device.fastboot.kernel_payload import KernelFingerprint, fingerprint_of
from tests.stand_ins.bootloader.images import (
    FakeKernel,
    Packing,
    boot_image,
    dtbo_image,
    init_boot_image,
    vbmeta_image,
    vendor_boot_image,
)

KERNEL = FakeKernel(
    "6.1.75-android14-11-gabcdef012345-ab11700000", version="#1 SMP PREEMPT Fri May 3 10:00:00 UTC 2024"
)
SAYS = KernelFingerprint(KERNEL.release, KERNEL.version, KERNEL.build_id)


def written(folder: Path, data: bytes, name: str = "boot.img") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_headers_of_all_versions(tmp_path: Path, version: int) -> None:
    path = written(tmp_path, boot_image(KERNEL, header=version))
    header = read_boot_header(path)
    assert (header.version, header.page_size) == (version, 2048 if version < 3 else 4096)
    assert (header.os_version, header.patch_level) == ("14.0.0", "2024-05")
    assert header.cmdline == "console=ttyS0"
    assert path.stat().st_size - header.page_size < header.end <= path.stat().st_size
    data = path.read_bytes()[header.kernel_at :][: header.kernel_size]
    assert gzip.decompress(data) == KERNEL.payload("none")
    assert load_boot_image(path)[1] == SAYS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08 a kernel", "is not an image of boot: it starts with"),
        (
            b"ANDROID!" + b"\0" * 32 + struct.pack("<I", 9) + b"\0" * 4096,
            "header of version 9; only 0 to 4",
        ),
        (b"ANDROID!" + b"\0" * 4096, "truncated inside its header"),
        (b"ANDROID!" + b"\0" * 100, "truncated inside its header"),
        (boot_image(KERNEL)[:6000], r"is truncated: its header describes \d+ bytes, but it has 6000"),
        (init_boot_image(), "holds no kernel: it is an init_boot image"),
    ],
)
def test_not_a_boot_image(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_boot_image(written(tmp_path, data))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_boot_image(tmp_path / "boot.img")
    with pytest.raises(UsageError, match="cannot read"):
        read_image("boot", tmp_path)


@pytest.mark.parametrize("packing", get_args(Packing))
def test_the_kernel_is_read_through_its_compression(packing: Packing) -> None:
    payload = KERNEL.payload(packing)
    assert fingerprint_of(payload) == SAYS
    tail = payload + b"\xd0\x0d\xfe\xed a device tree behind it"
    assert fingerprint_of(tail) == SAYS


def test_memory_of_another_kernel_is_not_read_behind_an_lz4_block() -> None:
    other = FakeKernel("5.10.1-other", version="#9 SMP", build_id="cd" * 20)
    filler = other.banner() + other.note
    for _ in range(5):
        # Freed memory that the next unpacking is likely to get.
        stale = [(filler * (1 + (8 << 20) // len(filler)))[: 8 << 20] for _ in range(3)]
        del stale
        assert fingerprint_of(KERNEL.payload("lz4-legacy")) == SAYS


def test_a_stream_inside_a_zimage() -> None:
    assert fingerprint_of(b"\0" * 5000 + b"\x1f\x8b\x08 a false start" + KERNEL.payload("gzip")) == SAYS


def test_the_build_id_of_the_vdso_is_not_the_kernels() -> None:
    with_note_only_in_vdso = bytearray(KERNEL.payload("none"))
    at = with_note_only_in_vdso.find(KERNEL.note)
    with_note_only_in_vdso[at : at + len(KERNEL.note)] = bytes(len(KERNEL.note))
    assert fingerprint_of(bytes(with_note_only_in_vdso)).build_id is None
    twice = bytearray(KERNEL.payload("none"))
    twice[0x30000 : 0x30000 + len(KERNEL.note)] = FakeKernel("x", build_id="ab" * 20).note
    assert fingerprint_of(bytes(twice)) == KernelFingerprint(KERNEL.release, KERNEL.version, None)


def test_a_banner_without_a_number_is_the_weak_copy() -> None:
    weak = KERNEL.banner().replace(b" #1 ", b" # ")
    assert fingerprint_of(weak) == KernelFingerprint(KERNEL.release)
    assert fingerprint_of(weak + KERNEL.banner()).version == KERNEL.version
    other = FakeKernel("6.1.99", version="#2 SMP").banner()
    assert fingerprint_of(KERNEL.banner() + other) == KernelFingerprint()


@pytest.mark.parametrize("data", [b"", b"\0" * 100, KERNEL.payload("gzip")[:100], b"\x02\x21\x4c\x18\xff"])
def test_nothing_is_invented(data: bytes) -> None:
    assert fingerprint_of(data) == KernelFingerprint()


def test_only_parts_that_both_know_differ() -> None:
    assert not SAYS.differs_from(KernelFingerprint())
    assert not SAYS.differs_from(KernelFingerprint(SAYS.release))
    assert SAYS.differs_from(KernelFingerprint(SAYS.release, build_id="00"))
    assert str(KernelFingerprint("6.1", None, "ab")) == "6.1, build id ab"
    assert str(KernelFingerprint()) == "unknown"


def image_set(folder: Path, **content: bytes) -> Path:
    for name, data in content.items():
        written(folder, data, f"{name}.img")
    return folder


def test_a_folder(tmp_path: Path) -> None:
    sparse = struct.pack("<IHHHHIIII", 0xED26FF3A, 1, 0, 28, 12, 4096, 500, 0, 0)
    image_set(
        tmp_path,
        boot=boot_image(KERNEL),
        init_boot=init_boot_image(),
        vendor_boot=vendor_boot_image(),
        dtbo=dtbo_image(),
        vbmeta=vbmeta_image(HASHTREE_DISABLED),
        vendor_dlkm=sparse,
    )
    (tmp_path / "android-info.txt").write_text(
        "require board=oriole|raven\nrequire version-bootloader=slider-1.3\nrequire partition-exists=x\n"
    )
    images = load_image_set(tmp_path)
    names = ["vbmeta", "dtbo", "vendor_boot", "init_boot", "boot", "vendor_dlkm"]
    assert [image.partition for image in images.images] == names
    assert images.kernel == SAYS
    assert images.vbmeta_flags == HASHTREE_DISABLED
    assert images.requires == {"product": ("oriole", "raven"), "version-bootloader": ("slider-1.3",)}
    modules = images.image("vendor_dlkm")
    assert modules is not None
    assert (modules.sparse, modules.dynamic, modules.size) == (True, True, 4096 * 500)


def test_a_file_names_images_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    written(tmp_path / "out", boot_image(KERNEL), "boot-lz4.img")
    path = tmp_path / "patched.toml"
    path.write_text(
        'product = "oriole"\nrelease = "6.1.75-mine"\nrequires.version-baseband = ["a", "b"]\n'
        '[images]\nboot = "out/boot-lz4.img"\n'
    )
    images = load_image_set(path)
    assert images.requires == {"product": ("oriole",), "version-baseband": ("a", "b")}
    assert images.kernel == KernelFingerprint("6.1.75-mine", SAYS.version, SAYS.build_id)
    assert images.hashes().keys() == {"boot"}


def test_a_changed_image_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, boot_image(KERNEL))
    first = load_boot_image(path)[0].sha256
    assert load_boot_image(path)[0].sha256 == first
    written(tmp_path, boot_image(FakeKernel("6.1.76-longer-than-before")))
    assert load_boot_image(path)[0].sha256 != first
    assert load_boot_image(path)[1].release == "6.1.76-longer-than-before"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("system.img", b"x", "system.img does not belong to a kernel: an image set holds boot, dtbo"),
        ("vbmeta.img", b"AVB1" + b"\0" * 200, "is not an image of vbmeta"),
        ("vbmeta.img", b"AVB0\0", "is truncated inside its header"),
        ("vendor_boot.img", b"ANDROID!" * 10, "is not an image of vendor_boot"),
        ("images.toml", b"product = 3", "product = 3 is not what 'fastboot getvar product' prints"),
        ("images.toml", b"prodcut = 'x'", r"unknown key prodcut -> did you mean product\?"),
        ("images.toml", b"[images]\nboto = 'x'", r"\[images\] unknown key boto -> did you mean boot\?"),
        ("images.toml", b"[images]\nboot = 'none.img'", "none.img: No such file"),
        ("images.toml", b"[requires]\nproduct = []", r"\[requires\] product = \[\] is neither a word"),
        ("images.toml", b"= 3", "cannot be read"),
    ],
)
def test_a_set_with_a_mistake(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    image_set(tmp_path, boot=boot_image(KERNEL))
    written(tmp_path, content, name)
    with pytest.raises(UsageError, match=words) as caught:
        load_image_set(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path} contains no image")):
        load_image_set(tmp_path)
