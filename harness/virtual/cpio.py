"""The archive format of an initial root file system ("newc" cpio), written in memory.

Source of the format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import io
import stat
from pathlib import PurePosixPath


class CpioWriter:
    """Collects entries and returns the archive; the same entries give the same bytes.

    Missing parent folders are added (mode 0755). Owner is root, times are 0.
    """

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._seen: set[str] = set()
        self._inode = 0

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder unless it exists."""
        name = path.strip("/")
        if name and name not in self._seen:
            self._entry(name, stat.S_IFDIR | mode, b"")

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file."""
        self._entry(path.strip("/"), stat.S_IFREG | mode, content)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link to ``target``."""
        self._entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device node."""
        self._entry(path.strip("/"), stat.S_IFCHR | mode, b"", device=(major, minor))

    def finish(self) -> bytes:
        """Return the complete archive, with its trailer."""
        out = io.BytesIO(self._out.getvalue())
        out.seek(0, io.SEEK_END)
        self._write(out, "TRAILER!!!", 0, b"", inode=0, device=(0, 0))
        return out.getvalue()

    def _entry(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        if not name or name in self._seen:
            raise ValueError(f"archive entry {name!r} is empty or given twice")
        parent = str(PurePosixPath(name).parent)
        if parent != ".":
            self.folder(parent)
        self._seen.add(name)
        self._inode += 1
        self._write(self._out, name, mode, content, self._inode, device)

    @staticmethod
    def _write(
        out: io.BytesIO, name: str, mode: int, content: bytes, inode: int, device: tuple[int, int]
    ) -> None:
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(encoded), 0)
        out.write(b"070701" + b"".join(b"%08x" % field for field in fields))
        out.write(encoded)
        out.write(b"\0" * (-(110 + len(encoded)) % 4))
        out.write(content)
        out.write(b"\0" * (-len(content) % 4))
