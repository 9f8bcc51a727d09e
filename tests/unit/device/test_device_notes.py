"""Build ids out of ELF notes."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.notes import gnu_build_id


def _note(name: bytes, kind: int, content: bytes) -> bytes:
    def padded(data: bytes) -> bytes:
        return data + b"\0" * (-len(data) % 4)

    return struct.pack("<III", len(name) + 1, len(content), kind) + padded(name + b"\0") + padded(content)


@given(
    before=st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 9), st.binary(max_size=9))),
    wanted=st.binary(min_size=1, max_size=32),
)
def test_found_among_other_notes(before: list[tuple[bytes, int, bytes]], wanted: bytes) -> None:
    others = b"".join(_note(b"x" + name, kind, content) for name, kind, content in before)
    assert gnu_build_id(others + _note(b"GNU", 3, wanted) + _note(b"GNU", 3, b"later")) == wanted.hex()


@given(notes=st.binary(max_size=200))
def test_any_bytes_are_survived(notes: bytes) -> None:
    found = gnu_build_id(notes)
    assert found is None or bytes.fromhex(found) in notes


def test_other_kinds_are_not_taken() -> None:
    assert gnu_build_id(_note(b"GNU", 1, b"abi") + _note(b"Linux", 3, b"no")) is None
    assert gnu_build_id(_note(b"GNU", 3, b"\x01" * 20)[:-1]) is None
    assert gnu_build_id(b"") is None


def test_hex_dump_as_od_and_xxd_print_it() -> None:
    assert bytes.fromhex(" 04 00 00 00\n 47 4e") == b"\x04\0\0\0GN"
    assert bytes.fromhex("04000000474e\n") == b"\x04\0\0\0GN"
    with pytest.raises(ValueError, match="non-hexadecimal"):
        bytes.fromhex("od: no such file")


def test_same_as_readelf(tmp_path: Path) -> None:
    source, program, notes = tmp_path / "a.c", tmp_path / "a", tmp_path / "notes"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-Wl,--build-id=sha1", "-o", program, source], check=True, timeout=60)
    subprocess.run(
        ["objcopy", "-O", "binary", "--only-section=.note.gnu.build-id", program, notes],
        check=True,
        timeout=60,
    )
    shown = subprocess.run(
        ["readelf", "-n", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    found = gnu_build_id(notes.read_bytes())
    assert found is not None
    assert f"Build ID: {found}" in shown
