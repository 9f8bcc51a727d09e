"""Load order from the modules' own dependencies."""

from __future__ import annotations

import graphlib
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import UsageError
from harness.virtual.kernels.module_tree import below_release, load_order, roots_of, scan
from tests.stand_ins.elf import module

RELEASE = "6.1.0-test"


def tree_of(folder: Path, modules: dict[str, str], builtin: str | None = None) -> Path:
    """Write modules (file name -> depends) and, if asked, modules.builtin."""
    for name, depends in modules.items():
        path = folder / "kernel" / f"{name}.ko"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(module(name.replace("-", "_"), depends))
    folder.mkdir(parents=True, exist_ok=True)
    if builtin is not None:
        (folder / "modules.builtin").write_text(builtin)
    return folder


def names(folder: Path, *roots: str) -> list[str]:
    return [info.name for _, info in load_order(scan(folder), RELEASE, roots)]


def test_dependencies_come_first(tmp_path: Path) -> None:
    folder = tree_of(
        tmp_path,
        {
            "virtio_net": "virtio,net_failover,virtio_ring",
            "net_failover": "failover",
            "failover": "",
            "virtio": "virtio_ring",
            "virtio_ring": "",
            "unrelated": "",
        },
    )
    assert names(folder, "virtio_net") == [
        "virtio_ring",
        "virtio",
        "failover",
        "net_failover",
        "virtio_net",
    ]


def test_dash_and_underscore_are_one_name(tmp_path: Path) -> None:
    folder = tree_of(tmp_path, {"lzo-rle": "crypto_acompress", "crypto-acompress": ""})
    assert names(folder, "lzo_rle") == ["crypto_acompress", "lzo_rle"]


def test_replaced_module_brings_its_own_dependencies(tmp_path: Path) -> None:
    folder = tree_of(tmp_path / "stock", {"zram": "", "zsmalloc": ""})
    other = tmp_path / "zram.ko"
    other.write_bytes(module("zram", "zsmalloc"))
    order = load_order(scan(folder, {"zram": other}), RELEASE, ["zram"])
    assert [path for path, _ in order] == [folder / "kernel" / "zsmalloc.ko", other]


def test_builtin_root_is_left_out(tmp_path: Path) -> None:
    folder = tree_of(tmp_path, {"zram": ""}, builtin="kernel/crypto/lz4.ko\nkernel/crypto/lzo-rle.ko\n")
    assert names(folder, "lz4", "lzo_rle", "zram") == ["zram"]


def test_root_that_is_neither_module_nor_builtin(tmp_path: Path) -> None:
    folder = tree_of(tmp_path, {"zramx": ""}, builtin="kernel/crypto/lz4.ko\n")
    with pytest.raises(UsageError, match=r"has no zram\.ko \(nearest: zramx\)"):
        names(folder, "zram")


def test_missing_dependency_names_who_needs_it(tmp_path: Path) -> None:
    folder = tree_of(tmp_path, {"zram": "zsmalloc"})
    with pytest.raises(UsageError, match=r"lacks zsmalloc\.ko, which zram needs"):
        names(folder, "zram")


def test_cycle(tmp_path: Path) -> None:
    folder = tree_of(tmp_path, {"a": "b", "b": "a"})
    with pytest.raises(UsageError, match="a -> b -> a"):
        names(folder, "a")


def test_compressed_modules(tmp_path: Path) -> None:
    (tmp_path / "zram.ko.zst").write_bytes(b"")
    with pytest.raises(UsageError, match=r"compressed \(zram\.ko\.zst\)"):
        scan(tmp_path)


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_packed_modules(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / f"lzo-rle.ko{suffix}").write_bytes(pack(module("lzo_rle", "lzo_compress")))
    (tmp_path / "lzo_compress.ko").write_bytes(module("lzo_compress"))
    assert names(tmp_path, "lzo_rle") == ["lzo_compress", "lzo_rle"]


@pytest.mark.parametrize("release", ["6.12.118+deb13-cloud-arm64", "6.12-rc1", "7.2.12-mine", "10.0.0"])
def test_newer_zram_brings_its_compressors(release: str) -> None:
    assert roots_of(release) == ("virtio_pci", "virtio_net", "zram")


@pytest.mark.parametrize("release", ["6.1.0-56-cloud-amd64", "6.11.0", "5.15.1"])
def test_older_zram_finds_its_compressors_by_name(release: str) -> None:
    assert {"lz4", "lzo", "lzo_rle", "zstd"} < set(roots_of(release))


def test_not_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        scan(tmp_path / "none")


@pytest.mark.parametrize("inside", ["lib/modules/6.1.0-test", "modules/6.1.0-test", "6.1.0-test"])
def test_folder_with_several_releases(tmp_path: Path, inside: str) -> None:
    wanted = tmp_path / inside
    wanted.mkdir(parents=True)
    wanted.with_name("6.6.0-other").mkdir()
    assert below_release(tmp_path, RELEASE) == wanted


def test_folder_of_one_release(tmp_path: Path) -> None:
    assert below_release(tmp_path, RELEASE) == tmp_path


@given(st.lists(st.sets(st.integers(0, 11), max_size=4), min_size=1, max_size=12))
def test_any_graph_is_ordered_as_graphlib_would(
    tmp_path_factory: pytest.TempPathFactory, edges: list[set[int]]
) -> None:
    graph = {f"m{i}": {f"m{j % len(edges)}" for j in targets} for i, targets in enumerate(edges)}
    folder = tree_of(
        tmp_path_factory.mktemp("tree"),
        {name: ",".join(sorted(depends)) for name, depends in graph.items()},
    )
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError:
        with pytest.raises(UsageError, match="cycle"):
            names(folder, *graph)
        return
    order = names(folder, *graph)
    assert sorted(order) == sorted(graph)
    for name, depends in graph.items():
        assert all(order.index(needed) < order.index(name) for needed in depends)
