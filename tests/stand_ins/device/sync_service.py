"""adbd's sync service. Source: packages/modules/adb/file_sync_protocol.h."""

from __future__ import annotations

import errno
import stat
import struct
from collections.abc import Callable
from typing import Final

from tests.stand_ins.device.faults import Faults
from tests.stand_ins.device.stream import Stream
from tests.stand_ins.device.tree import Tree

_ID_SIZE: Final = struct.Struct("<4sI")
_STAT_V1: Final = struct.Struct("<4sIII")
_STAT_V2: Final = struct.Struct("<4sIQQIIIIQqqq")
_BLOCK: Final = 64 * 1024
_MTIME: Final = 1_700_000_000


class SyncService:
    """Serves stat (v1, v2), list, receive and send until the host quits."""

    def __init__(
        self, stream: Stream, faults: Faults, tree: Tree, drop: Callable[[], None], *, root: bool
    ) -> None:
        self._stream = stream
        self._faults = faults
        self._tree = tree
        self._drop = drop
        self._root = root

    def serve(self) -> None:
        """ConnectionError when the host is gone."""
        answers = {
            b"STAT": self._stat_v1,
            b"STA2": self._stat_v2,
            b"LIST": self._list,
            b"RECV": self._receive,
        }
        while True:
            kind, size = _ID_SIZE.unpack(self._stream.read_exact(_ID_SIZE.size))
            if kind == b"QUIT":
                return
            path = self._stream.read_exact(size).decode("utf-8", "surrogateescape")
            if kind == b"SEND":
                self._send(path)
            elif kind in answers:
                answers[kind](path)
            else:
                self._fail(f"unknown command {kind!r}")
                return

    def _mode_size(self, path: str) -> tuple[int, int]:
        if self._tree.is_folder(path):
            return stat.S_IFDIR | 0o755, 4096
        node = self._tree.node(path)
        size = len(node.read()) if node.shown_size is None else node.shown_size
        return stat.S_IFREG | node.mode, size

    def _stat_v1(self, path: str) -> None:
        try:
            mode, size = self._mode_size(path)
        except OSError:
            self._stream.write(_STAT_V1.pack(b"STAT", 0, 0, 0))
            return
        self._stream.write(_STAT_V1.pack(b"STAT", mode, size & 0xFFFFFFFF, _MTIME))

    def _stat_v2(self, path: str) -> None:
        try:
            mode, size = self._mode_size(path)
            error = 0
        except OSError as failure:
            mode, size, error = 0, 0, failure.errno or errno.EIO
        self._stream.write(_STAT_V2.pack(b"STA2", error, 1, 1, mode, 1, 0, 0, size, _MTIME, _MTIME, _MTIME))

    def _list(self, path: str) -> None:
        for name in self._tree.listing(path):
            mode, size = self._mode_size(f"{path.rstrip('/')}/{name}")
            encoded = name.encode("utf-8", "surrogateescape")
            self._stream.write(struct.pack("<4sIIII", b"DENT", mode, size, _MTIME, len(encoded)) + encoded)
        self._stream.write(struct.pack("<4sIIII", b"DONE", 0, 0, 0, 0))

    def _receive(self, path: str) -> None:
        try:
            self._tree.may(path, "read", root=self._root)
            content = self._tree.read(path)
        except OSError as error:
            self._fail(f"open failed: {error.strerror}")
            return
        if self._faults.truncate_pull_to is not None:
            content = content[: self._faults.truncate_pull_to]
        limit = self._faults.drop_in_pull_after
        for begin in range(0, len(content), _BLOCK):
            if limit is not None and begin + _BLOCK > limit:
                self._stream.write(_ID_SIZE.pack(b"DATA", _BLOCK) + content[begin:limit])
                self._faults.drop_in_pull_after = None
                self._drop()
            block = content[begin : begin + _BLOCK]
            self._stream.write(_ID_SIZE.pack(b"DATA", len(block)) + block)
        self._stream.write(_ID_SIZE.pack(b"DONE", 0))

    def _send(self, target: str) -> None:
        path, _, mode = target.rpartition(",")
        content = bytearray()
        while True:
            kind, size = _ID_SIZE.unpack(self._stream.read_exact(_ID_SIZE.size))
            if kind == b"DONE":
                break
            content += self._stream.read_exact(size)
            limit = self._faults.drop_in_push_after
            if limit is not None and len(content) > limit:
                self._faults.drop_in_push_after = None
                self._drop()
        try:
            self._tree.may_write(path, root=self._root)
            self._tree.write(path, bytes(content[: self._faults.lose_in_push]), mode=int(mode) & 0o777)
        except OSError as error:
            self._fail(f"couldn't create file: {error.strerror}")
            return
        self._stream.write(_ID_SIZE.pack(b"OKAY", 0))

    def _fail(self, reason: str) -> None:
        said = reason.encode()
        self._stream.write(_ID_SIZE.pack(b"FAIL", len(said)) + said)
