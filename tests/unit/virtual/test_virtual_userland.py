"""How the guest's programs are laid out, and that what is in the cache stays in use."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from foundation.errors import HostError
from harness.virtual import userland as module
from harness.virtual.packages.products import building, write_pointer
from harness.virtual.packages.records import PackageFact
from harness.virtual.userland import FROM_BUSYBOX, place, userland

FACT = PackageFact("adbd", "34.0.5-12", "arm64", "trixie", "ab")
SOURCES = (
    "usr/lib/android-sdk/platform-tools/adbd",
    "usr/sbin/traced",
    "usr/sbin/traced_probes",
    "usr/bin/perfetto",
    "usr/lib/aarch64-linux-musl/bin/mksh",
    "usr/bin/toybox",
    "usr/bin/busybox",
)


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))

    def copy_needed(programs: Sequence[Path], source: Path, target: Path, default: Sequence[str]) -> None:
        assert default == ("usr/lib/aarch64-linux-gnu", "usr/lib")

    monkeypatch.setattr(module, "copy_needed", copy_needed)
    monkeypatch.setattr(module, "_applets", lambda root, arch: ["ls", "cat", "toybox", "tr"])


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    root = tmp_path / "unpacked"
    for source in SOURCES:
        path = root / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root


def test_programs_and_applets(unpacked: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    place(unpacked, root, "aarch64")
    tools = root / "system" / "bin"
    assert (tools / "sh").read_text() == "usr/lib/aarch64-linux-musl/bin/mksh"
    assert (tools / "adbd").read_text() == SOURCES[0]
    assert stat.S_IMODE((tools / "traced_probes").stat().st_mode) == 0o755
    links = {path.name: str(path.readlink()) for path in tools.iterdir() if path.is_symlink()}
    # toybox's own command goes before busybox's.
    expected = dict.fromkeys(FROM_BUSYBOX, "busybox") | dict.fromkeys(["ls", "cat", "tr"], "toybox")
    assert links == expected


def test_a_package_without_its_program(unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "usr/sbin/traced").unlink()
    with pytest.raises(HostError, match="packages have no usr/sbin/traced"):
        place(unpacked, tmp_path / "root", "aarch64")


def test_what_is_in_the_cache_needs_no_archive(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with building(module._home() / "key", {"packages": [asdict(FACT)]}) as work:
        place(unpacked, work / "root", "aarch64")
    write_pointer(module._pointer("aarch64"), "key")

    def refuse(*words: object) -> None:
        raise HostError("no archive")

    monkeypatch.setattr(module, "open_root", refuse)
    found = userland("aarch64")
    assert found.packages == (FACT,)
    assert ("system/bin/ls", "toybox") in found.links
    (adbd,) = (file for file in found.files if file.path == "system/bin/adbd")
    assert (adbd.mode, adbd.source.read_text()) == (0o755, SOURCES[0])
    assert found.size_bytes == sum(len(source) for source in SOURCES)

    adbd.source.write_text("damaged")
    with pytest.raises(HostError, match="no archive"):
        userland("aarch64")
    with pytest.raises(HostError, match="no archive"):
        userland("x86_64")
