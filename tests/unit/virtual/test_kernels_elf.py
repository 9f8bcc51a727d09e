"""Module information and build ids, from files made in code and from a real linker."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import UsageError
from harness.device.modules.elf import canonical, parse_module, sections
from harness.device.modules.module_file import read_module
from harness.device.notes import gnu_build_id
from tests.stand_ins.elf import BUILD_ID, elf, module, note


def test_module_words_are_read() -> None:
    info = parse_module(module("lzo_rle", "crypto,zsmalloc", parameters=("threads",)), "lzo-rle.ko")
    assert info.name == "lzo_rle"
    assert info.depends == ("crypto", "zsmalloc")
    assert info.release == "6.1.0-test"
    assert info.parameters == {"threads"}
    assert info.build_id == BUILD_ID.hex()


def test_no_dependency_and_no_build_id() -> None:
    info = parse_module(module("zstd", build_id=None), "zstd.ko")
    assert info.depends == ()
    assert info.build_id is None


def test_build_id_stands_behind_other_notes() -> None:
    notes = note(b"Linux\0", 0x101, b"\1\2\3") + note(b"GNU\0", 1, b"abcd") + note(b"GNU\0", 3, BUILD_ID)
    assert gnu_build_id(notes) == BUILD_ID.hex()


@pytest.mark.parametrize(
    "notes", [b"", b"\0" * 8, note(b"GNU\0", 3, BUILD_ID)[:-4], note(b"Linux\0", 3, BUILD_ID)]
)
def test_no_build_id_in_other_notes(notes: bytes) -> None:
    assert gnu_build_id(notes) is None


def test_build_id_that_a_linker_was_told(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int answer(void) { return 42; }\n")
    library = tmp_path / "a.so"
    subprocess.run(
        ["gcc", "-shared", "-nostdlib", "-Wl,--build-id=0x00c0ffee1234", "-o", str(library), str(source)],
        check=True,
        timeout=60,
    )
    found = sections(library.read_bytes(), "a.so", ".note.gnu.build-id", ".absent")
    assert list(found) == [".note.gnu.build-id"]
    assert gnu_build_id(found[".note.gnu.build-id"]) == "00c0ffee1234"


def test_library_is_not_a_module(tmp_path: Path) -> None:
    path = tmp_path / "a.ko"
    path.write_bytes(elf({".text": b"\x90"}))
    with pytest.raises(UsageError, match=r"a\.ko is not a kernel module"):
        read_module(path)


@pytest.mark.parametrize("image", [b"", b"\x7fELF\x01\x01" + bytes(100), b"(\xb5/\xfd" + bytes(100)])
def test_other_files_are_refused(image: bytes) -> None:
    with pytest.raises(UsageError, match=r"x\.ko is not a 64-bit ELF file"):
        parse_module(image, "x.ko")


@given(st.integers(0, len(module("zram", "zsmalloc")) - 1))
def test_cut_short_anywhere_is_one_line(length: int) -> None:
    with pytest.raises(UsageError):
        parse_module(module("zram", "zsmalloc")[:length], "zram.ko")


@given(st.integers(0, len(module("zram")) - 1), st.integers(0, 255))
def test_one_changed_byte_never_ends_in_another_exception(at: int, value: int) -> None:
    damaged = bytearray(module("zram"))
    damaged[at] = value
    with contextlib.suppress(UsageError):
        parse_module(bytes(damaged), "zram.ko")


def test_file_name_and_kernel_name() -> None:
    assert canonical("lzo-rle") == canonical("lzo_rle") == "lzo_rle"
