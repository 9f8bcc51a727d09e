"""What goes into the device's root file system."""

from __future__ import annotations

import gzip
import lzma
import stat
import struct
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.device.modules.module_file import module_bytes
from harness.virtual import initramfs
from harness.virtual.base import DEFAULT_BASE
from harness.virtual.guest_programs import COMMAND_NAMES, GUEST_PROGRAMS
from harness.virtual.initramfs import build_initramfs, load_conf
from harness.virtual.kernels import KernelBundle, ModuleLoad
from tests.unit.virtual.test_virtual_cpio import read_archive


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "virtio_ring.ko"
    path.write_bytes(b"\x7fELF module")
    return path


def bundle(*modules: ModuleLoad) -> KernelBundle:
    return KernelBundle("test", "6.1", Path("image"), modules, {}, False, DEFAULT_BASE)


def test_load_conf_keeps_order_and_parameters() -> None:
    modules = (
        ModuleLoad(Path("b.ko"), "b"),
        ModuleLoad(Path("a.ko"), "a", {"threads": "1", "depth": "256"}),
    )
    assert load_conf(modules) == "b.ko\na.ko threads=1 depth=256\n"


@pytest.mark.parametrize("value", ["1 2", "1\n2", "\t"])
def test_white_space_in_a_parameter_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="whitespace"):
        load_conf((ModuleLoad(Path("a.ko"), "a", {"p": value}),))


def test_modules_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.ko.xz").write_bytes(lzma.compress(b"content"))
    (tmp_path / "a.ko.gz").write_bytes(gzip.compress(b"content"))
    (tmp_path / "a.ko").write_bytes(b"content")
    for name in ("a.ko.xz", "a.ko.gz", "a.ko"):
        assert module_bytes(tmp_path / name) == b"content"


def test_a_module_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "bad.ko.xz"
    damaged.write_bytes(b"not xz")
    packed = tmp_path / "new.ko.zst"
    packed.write_bytes(b"")
    for path in (damaged, packed, tmp_path / "absent.ko"):
        with pytest.raises(UsageError, match=path.name):
            module_bytes(path)


def test_the_whole_file_system(module: Path) -> None:
    built = build_initramfs(bundle(ModuleLoad(module, "virtio_ring", {"p": "1"})))
    entries = read_archive(built.read_bytes())
    assert entries["lib/modules/virtio_ring.ko"].content == b"\x7fELF module"
    assert entries["lib/modules/load.conf"].content == b"virtio_ring.ko p=1\n"
    assert entries["dev/console"].device == (5, 1)
    for name in GUEST_PROGRAMS:
        entry = entries["init" if name == "init" else f"system/bin/{name}"]
        assert entry.mode == stat.S_IFREG | 0o755
        assert entry.content[:4] == b"\x7fELF"
        # No program header asks for a dynamic loader.
        (offset,) = struct.unpack_from("<Q", entry.content, 32)
        (count,) = struct.unpack_from("<H", entry.content, 56)
        kinds = [struct.unpack_from("<I", entry.content, offset + i * 56)[0] for i in range(count)]
        assert 3 not in kinds
    for name in COMMAND_NAMES:
        assert entries[f"system/bin/{name}"].content == b"framework"
    assert entries["system/bin/mkswap"].content == b"toybox"
    assert entries["system/bin/awk"].content == b"busybox"
    assert b"ro.kernel.qemu=1\n" in entries["system/build.prop"].content
    parents = {name.rpartition("/")[0] for name in entries} - {""}
    assert all(stat.S_ISDIR(entries[parent].mode) for parent in parents)


def test_a_small_device_gets_it_compressed(module: Path) -> None:
    bundled = bundle(ModuleLoad(module, "virtio_ring"))
    plain, packed = build_initramfs(bundled), build_initramfs(bundled, compressed=True)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.stat().st_size < plain.stat().st_size


def test_the_same_content_is_built_once_and_another_is_not_mixed_up(module: Path) -> None:
    first = build_initramfs(bundle(ModuleLoad(module, "virtio_ring")))
    stamp = first.stat().st_mtime_ns
    assert build_initramfs(bundle(ModuleLoad(module, "virtio_ring"))) == first
    assert first.stat().st_mtime_ns == stamp
    other = build_initramfs(bundle(ModuleLoad(module, "virtio_ring", {"p": "2"})))
    assert other != first


@pytest.fixture(autouse=True)
def own_cache_for_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Programs come from the common cache (they are built by content), archives go to a private one.
    private = tmp_path / "archives"
    private.mkdir()
    monkeypatch.setattr(initramfs, "cache_dir", lambda *parts: private)
