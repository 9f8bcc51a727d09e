"""The device's files, in memory, with the manners of sysfs and procfs where a test wants them."""

from __future__ import annotations

import errno
import fnmatch
import os
import threading
from collections.abc import Callable, Iterable
from typing import Final, Literal

from tests.stand_ins.device.faults import Faults

_OPEN_TO_ALL: Final = ("/data/local/tmp/", "/sdcard/", "/data/misc/perfetto-traces/")

#: What uid 2000 wants to do with a path.
How = Literal["stat", "read", "list", "write"]


class Node:
    """A plain file."""

    #: Size that stat shows; None: the real one.
    shown_size: int | None = None

    def __init__(self, content: bytes = b"", mode: int = 0o644) -> None:
        self.content = content
        self.mode = mode

    def read(self) -> bytes:
        """OSError as the kernel would."""
        return self.content

    def write(self, data: bytes) -> None:
        """One write(2), from the start of the file. OSError as the kernel would."""
        self.content = data


class Attribute(Node):
    """A file of sysfs or procfs: a line, checked and set by ``store``, shown by ``show``."""

    def __init__(
        self,
        show: Callable[[], str],
        store: Callable[[str], None] | None = None,
        *,
        size: int = 4096,
    ) -> None:
        super().__init__(mode=0o644 if store else 0o444)
        self._show = show
        self._store = store
        self.shown_size = size

    def read(self) -> bytes:
        return f"{self._show()}\n".encode()

    def write(self, data: bytes) -> None:
        if self._store is None:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        self._store(data.decode().strip())


def refuse(number: int) -> OSError:
    """The error of a system call."""
    return OSError(number, os.strerror(number))


def number(value: int, low: int, high: int) -> Attribute:
    """A procfs number; EINVAL for anything out of range."""
    held = [value]

    def store(text: str) -> None:
        if not text.lstrip("-").isdigit() or not low <= int(text) <= high:
            raise refuse(errno.EINVAL)
        held[0] = int(text)

    return Attribute(lambda: str(held[0]), store, size=0)


def choice(value: str, choices: Iterable[str]) -> Attribute:
    """A sysfs choice, shown with the current one in brackets; EINVAL for any other word."""
    held = [value]
    words = list(choices)

    def store(text: str) -> None:
        if text not in words:
            raise refuse(errno.EINVAL)
        held[0] = text

    return Attribute(lambda: " ".join(f"[{word}]" if word == held[0] else word for word in words), store)


class Tree:
    """Paths to nodes; folders exist where a path needs them. Safe to use from several threads.

    ``guard`` says what uid 2000 may do with a path; None lets it read everything and write to
    the folders that are open to all. Root is never asked.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        #: Paths as shells and pushes wrote them, in order.
        self.written: list[str] = []
        self.guard: Callable[[str, How], bool] | None = None
        self._nodes: dict[str, Node] = {}
        self._folders: set[str] = {"/", "/data/local/tmp"}
        self._lock = threading.RLock()

    def put(self, path: str, node: Node | bytes | str) -> None:
        """Make ``path``, with its folders."""
        if isinstance(node, str):
            node = node.encode()
        with self._lock:
            self._nodes[path] = Node(node) if isinstance(node, bytes) else node
            folder = path.rpartition("/")[0]
            while folder and folder not in self._folders:
                self._folders.add(folder)
                folder = folder.rpartition("/")[0]

    def make_folder(self, path: str) -> None:
        with self._lock:
            self._folders.add(path.rstrip("/"))

    def remove(self, path: str) -> None:
        """The path and all below it."""
        with self._lock:
            below = path.rstrip("/") + "/"
            self._nodes = {p: n for p, n in self._nodes.items() if p != path and not p.startswith(below)}
            self._folders = {f for f in self._folders if f != path.rstrip("/") and not f.startswith(below)}

    def node(self, path: str) -> Node:
        """ENOENT, EISDIR."""
        with self._lock:
            if self.is_folder(path):
                raise refuse(errno.EISDIR)
            found = self._nodes.get(path)
            if found is None:
                raise refuse(errno.ENOENT)
            return found

    def is_folder(self, path: str) -> bool:
        return (path.rstrip("/") or "/") in self._folders

    def exists(self, path: str) -> bool:
        return path in self._nodes or self.is_folder(path)

    def read(self, path: str) -> bytes:
        node = self.node(path)
        if path in self._faults.read_back:
            return self._faults.read_back[path]
        return node.read()

    def allows(self, path: str, how: How, *, root: bool) -> bool:
        return root or self.guard is None or self.guard(path, how)

    def may(self, path: str, how: How, *, root: bool) -> None:
        """EACCES if the guard refuses; not for a path that does not exist."""
        hidden = not self.exists(path) and self.allows(path.rpartition("/")[0] or "/", "list", root=root)
        if not hidden and not self.allows(path, how, root=root):
            raise refuse(errno.EACCES)

    def may_write(self, path: str, *, root: bool) -> None:
        """Raise what open(2) for writing would. OSError."""
        if self.is_folder(path):
            raise refuse(errno.EISDIR)
        if not self.is_folder(path.rpartition("/")[0] or "/"):
            raise refuse(errno.ENOENT)
        if path not in self._nodes and path.startswith(("/sys/", "/proc/")):
            raise refuse(errno.EACCES)
        open_to_shell = self.guard is not None and path in self._nodes and self.guard(path, "write")
        if not root and not open_to_shell and not path.startswith(_OPEN_TO_ALL):
            raise refuse(errno.EACCES)

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        with self._lock:
            if path in self._faults.refuse_write:
                raise refuse(self._faults.refuse_write[path])
            self.written.append(path)
            node = self._nodes.setdefault(path, Node())
            node.write(data)
            if mode is not None:
                node.mode = mode

    def glob(self, pattern: str, *, root: bool = True) -> list[str]:
        """Paths that match, in folders that may be listed; ``*`` stays within one folder."""
        parts = pattern.split("/")
        with self._lock:
            every = [*self._nodes, *self._folders]
        found = []
        for path in every:
            names = path.split("/")
            if len(names) == len(parts) and all(map(fnmatch.fnmatchcase, names, parts)):
                folder = path.rpartition("/")[0] or "/"
                if self.allows(folder, "list", root=root):
                    found.append(path)
        return sorted(found)

    def listing(self, folder: str) -> list[str]:
        """Names in ``folder``."""
        below = folder.rstrip("/") + "/"
        with self._lock:
            every = [*self._nodes, *self._folders]
        return sorted(
            {p[len(below) :].partition("/")[0] for p in every if p.startswith(below) and p != below}
        )
