"""The libraries and the loader that programs need."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.errors import HostError
from harness.virtual.packages.elf_needs import copy_needed, needs_of

LOADER = "/lib/ld-own.so.1"


def build(source: Path, path: str, *words: str, text: str = "") -> Path:
    """Compile ``text`` without the C library to ``path`` below ``source``."""
    out = source / path
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["gcc", "-nostdlib", "-fPIC", "-x", "c", "-", "-x", "none", *words, "-o", str(out)],
        input=text,
        text=True,
        check=True,
    )
    return out


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A program that needs libouter (in its own folder), which needs libinner (in the usual one)."""
    root = tmp_path / "unpacked"
    inner = build(
        root,
        "usr/lib/any/libinner.so.1.5",
        "-shared",
        "-Wl,-soname,libinner.so.1",
        text="int f(void){return 1;}",
    )
    (root / "usr/lib/any/libinner.so.1").symlink_to(inner.name)
    outer = build(
        root,
        "usr/lib/odd/libouter.so.0",
        "-shared",
        "-Wl,-soname,libouter.so.0",
        str(inner),
        text="int f(void); int g(void){return f();}",
    )
    build(
        root,
        "usr/bin/tool",
        "-e",
        "start",
        "-pie",
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/.:/usr/lib/odd",
        f"-Wl,--dynamic-linker={LOADER},--allow-shlib-undefined",
        str(outer),
        text="int g(void); void start(void){g();}",
    )
    loader = root / "usr" / LOADER.lstrip("/")
    loader.write_bytes(b"loader")
    return root


def test_needs(unpacked: Path) -> None:
    needs = needs_of(unpacked / "usr/bin/tool")
    assert (needs.loader, needs.libraries, needs.folders) == (LOADER, ("libouter.so.0",), ("/usr/lib/odd",))


def test_everything_that_is_needed_gets_the_name_by_which_it_is_asked_for(
    unpacked: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    copy_needed([unpacked / "usr/bin/tool"], unpacked, root, ["usr/lib/any"])
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    assert files == ["lib/ld-own.so.1", "usr/lib/any/libinner.so.1", "usr/lib/odd/libouter.so.0"]
    assert not any(path.is_symlink() for path in root.rglob("*"))
    assert (root / "lib/ld-own.so.1").read_bytes() == b"loader"


def test_a_missing_library_is_named_with_who_needs_it(unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "usr/lib/any/libinner.so.1").unlink()
    with pytest.raises(HostError, match=r"no package has libinner\.so\.1, which libouter\.so\.0 needs"):
        copy_needed([unpacked / "usr/bin/tool"], unpacked, tmp_path / "root", ["usr/lib/any"])


def test_a_missing_loader(unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "usr" / LOADER.lstrip("/")).unlink()
    with pytest.raises(HostError, match=r"no package has the loader /lib/ld-own\.so\.1"):
        copy_needed([unpacked / "usr/bin/tool"], unpacked, tmp_path / "root", ["usr/lib/any"])


def test_a_script_is_no_program(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(HostError, match="tool is not an ELF file"):
        needs_of(script)
