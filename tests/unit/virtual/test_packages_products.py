"""Folders that are whole or absent."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from foundation.cache import cache_dir
from foundation.errors import HostError
from harness.virtual.packages import products
from harness.virtual.packages.products import (
    MANIFEST,
    building,
    damage,
    exclusive,
    facts_of,
    read_pointer,
    require_space,
    write_pointer,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    return cache_dir("kernels")


@pytest.fixture
def product(cache: Path) -> Path:
    final = cache / "key" / "stock"
    with building(final, {"from": "test"}) as work:
        (work / "modules").mkdir()
        (work / "modules" / "zram.ko").write_bytes(b"\1" * 5000)
        (work / "vmlinuz").write_bytes(b"\2" * 100)
        (work / "link").symlink_to("vmlinuz")
        assert not final.exists()
    return final


def test_sealed_folder_is_whole(product: Path) -> None:
    assert damage(product) is None
    assert facts_of(product) == {"from": "test"}
    assert [path.name for path in product.parent.iterdir()] == ["stock"]


def test_absent(cache: Path) -> None:
    assert damage(cache / "none") == "is absent"


def test_each_kind_of_damage_is_named(product: Path) -> None:
    zram = product / "modules" / "zram.ko"
    content = zram.read_bytes()

    zram.write_bytes(content[:4096] + b"\0" + content[4097:])
    assert damage(product) == "has a changed modules/zram.ko"
    zram.unlink()
    assert damage(product) == "lacks modules/zram.ko"
    zram.write_bytes(content)
    (product / "extra").touch()
    assert damage(product) == "has a foreign file extra"
    (product / "extra").unlink()
    (product / "link").unlink()
    (product / "link").symlink_to("elsewhere")
    assert damage(product) == "has a changed link"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1}', '{"schema": 1, "files": 3}'])
def test_unreadable_manifest(product: Path, text: str) -> None:
    (product / MANIFEST).write_text(text)
    assert "manifest" in (damage(product) or "")


def test_manifest_of_another_schema(product: Path) -> None:
    record = json.loads((product / MANIFEST).read_text())
    (product / MANIFEST).write_text(json.dumps({**record, "schema": 99}))
    assert damage(product) == "has a manifest of another schema"


def test_failed_build_leaves_the_old_one(product: Path) -> None:
    def fail() -> None:
        with building(product, {}) as work:
            (work / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert damage(product) is None
    assert [path.name for path in product.parent.iterdir()] == ["stock"]


def test_rebuild_replaces_the_old_one(product: Path) -> None:
    (product / "vmlinuz").write_bytes(b"damaged")
    with building(product, {"from": "second"}) as work:
        (work / "vmlinuz").write_bytes(b"new")
    assert damage(product) is None
    assert facts_of(product) == {"from": "second"}
    assert sorted(path.name for path in product.iterdir()) == [MANIFEST, "vmlinuz"]
    assert [path.name for path in product.parent.iterdir()] == ["stock"]


def test_full_disk_is_the_hosts_fault(cache: Path) -> None:
    def fill() -> None:
        with building(cache / "key" / "stock", {}):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(HostError, match="no space left"):
        fill()


def test_space_is_checked_beforehand(cache: Path) -> None:
    require_space(cache, 1, "fetching")
    with pytest.raises(HostError, match=r"fetching needs 1000000000000 MB .* MB are free -> free"):
        require_space(cache, 10**18, "fetching")


def _hold(held: multiprocessing.synchronize.Event, leave: multiprocessing.synchronize.Event) -> None:
    with exclusive(cache_dir("kernels"), print):
        held.set()
        leave.wait(60)


def test_second_process_waits_and_says_so() -> None:
    context = multiprocessing.get_context("spawn")
    held, leave = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(held, leave))
    holder.start()
    said: list[str] = []
    try:
        assert held.wait(60)
        with (
            pytest.raises(HostError, match="another process has held"),
            exclusive(cache_dir("kernels"), said.append, deadline_s=0),
        ):
            pass
        assert said == ["waiting for another process that prepares kernels"]
    finally:
        leave.set()
        holder.join(60)
    with exclusive(cache_dir("kernels"), said.append):
        pass
    assert len(said) == 1


def test_leftovers_of_a_dead_process_are_removed(cache: Path, product: Path) -> None:
    left = product.parent / f"{products._TEMPORARY}abc"
    left.mkdir()
    (left / "half").touch()
    with exclusive(cache_dir("kernels"), print):
        assert not left.exists()
        assert damage(product) is None


def test_pointer(cache: Path) -> None:
    assert read_pointer(cache / "current") is None
    write_pointer(cache / "current", "a_1")
    write_pointer(cache / "current", "b_2")
    assert read_pointer(cache / "current") == "b_2"
    assert [path.name for path in cache.iterdir()] == ["current"]
