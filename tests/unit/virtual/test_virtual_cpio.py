"""The archive is read back by a reader that knows nothing of the writer."""

from __future__ import annotations

import stat
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.virtual.cpio import CpioWriter


@dataclass(frozen=True)
class Entry:
    mode: int
    inode: int
    links: int
    device: tuple[int, int]
    content: bytes


def read_archive(archive: bytes) -> dict[str, Entry]:
    """Read newc as the kernel's init/initramfs.c does: 13 hex fields, name and data padded to 4."""
    entries: dict[str, Entry] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + i * 8 : at + 14 + i * 8], 16) for i in range(13)]
        inode, mode, _, _, links, _, size, _, _, major, minor, name_size, _ = fields
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        assert archive[at + 110 + name_size - 1] == 0
        at += (110 + name_size + 3) & ~3
        content = archive[at : at + size]
        assert len(content) == size
        at += (size + 3) & ~3
        if name == "TRAILER!!!":
            assert at == len(archive)
            return entries
        assert name not in entries
        entries[name] = Entry(mode, inode, links, (major, minor), content)


def test_every_kind_of_entry() -> None:
    cpio = CpioWriter()
    cpio.file("/system/bin/tool", b"\x7fELF\0\xff", 0o755)
    cpio.link("bin", "system/bin")
    cpio.folder("data/local/tmp", 0o771)
    cpio.character_device("dev/console", 5, 1)
    entries = read_archive(cpio.finish())
    assert list(entries) == [
        *("system", "system/bin", "system/bin/tool", "bin"),
        *("data", "data/local", "data/local/tmp", "dev", "dev/console"),
    ]
    assert entries["system/bin/tool"].content == b"\x7fELF\0\xff"
    assert entries["system/bin/tool"].mode == stat.S_IFREG | 0o755
    assert stat.S_ISLNK(entries["bin"].mode)
    assert entries["bin"].content == b"system/bin"
    assert entries["data/local/tmp"].mode == stat.S_IFDIR | 0o771
    assert entries["data"].mode == stat.S_IFDIR | 0o755
    assert stat.S_ISCHR(entries["dev/console"].mode)
    assert entries["dev/console"].device == (5, 1)


# A second file with the same inode number would be taken for a hard link.
@given(st.dictionaries(st.text("abc.", min_size=1, max_size=9), st.binary(max_size=70), max_size=8))
def test_contents_come_back_and_inodes_differ(files: dict[str, bytes]) -> None:
    cpio = CpioWriter()
    for name, content in files.items():
        cpio.file(f"d/{name}", content)
    entries = read_archive(cpio.finish())
    assert {name: entries[f"d/{name}"].content for name in files} == files
    assert len({entry.inode for entry in entries.values()}) == len(entries)


def test_same_entries_give_same_bytes() -> None:
    def archive() -> bytes:
        cpio = CpioWriter()
        cpio.file("a/b", b"x")
        return cpio.finish()

    assert archive() == archive()


def test_an_entry_given_twice_is_refused() -> None:
    cpio = CpioWriter()
    cpio.file("a", b"")
    with pytest.raises(ValueError, match="twice"):
        cpio.link("a", "b")


def test_finish_may_be_called_before_more_is_added() -> None:
    cpio = CpioWriter()
    cpio.file("a", b"1")
    assert list(read_archive(cpio.finish())) == ["a"]
    cpio.file("b", b"2")
    assert list(read_archive(cpio.finish())) == ["a", "b"]
