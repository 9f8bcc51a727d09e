"""Files that are whole or absent, their hashes, and locks between processes."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation import files
from foundation.errors import HostError
from foundation.files import PARTIAL, cached_sha256_of, lock_file, replacing, sha256_of, write_atomic


def _fail_halfway(path: Path, error: BaseException) -> None:
    with replacing(path) as partial:
        partial.write_text("ha")
        raise error


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(type(error)):
        _fail_halfway(path, error)
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]
    assert path.read_text() == "old"


def test_a_failure_in_the_middle_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail_halfway(tmp_path / "record.json", ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import os, signal, sys
from pathlib import Path
from foundation.files import replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("ha")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)], timeout=30)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    left = [p.name for p in tmp_path.iterdir() if p != path]
    assert len(left) == 1
    assert left[0].startswith("record.json.")
    assert left[0].endswith(PARTIAL)
    write_atomic(path, "new")
    assert path.read_text() == "new"


def test_a_leftover_of_the_same_thread_id_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    leftover = tmp_path / f"record.json.{threading.get_native_id()}{PARTIAL}"
    leftover.write_text("half of an old run, and longer")
    write_atomic(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]
    assert path.read_text() == "new"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "record.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new", durable=True)
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]
    assert path.read_text() == "old"


def test_a_durable_file_and_its_name_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{handle}").readlink()), path.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomic(path, "new", durable=True)
    assert [(Path(name).name, there) for name, there in synced] == [
        (f"record.json.{threading.get_native_id()}{PARTIAL}", False),
        (tmp_path.name, True),
    ]
    synced.clear()
    write_atomic(path, "newer")
    assert synced == []


def test_text_is_utf8_and_bytes_are_bytes(tmp_path: Path) -> None:
    write_atomic(tmp_path / "text", "40 µs\n")
    write_atomic(tmp_path / "bytes", b"\xff\r\n")
    assert (tmp_path / "text").read_bytes() == b"40 \xc2\xb5s\n"
    assert (tmp_path / "bytes").read_bytes() == b"\xff\r\n"


@pytest.mark.parametrize(("mode", "expected"), [(0o666, 0o640), (0o700, 0o700), (0o755, 0o750)])
def test_the_mode_is_subject_to_the_umask(tmp_path: Path, mode: int, expected: int) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "file", "", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == expected


def test_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "record"
    contents = [letter * 100_000 for letter in "abcdefgh"]

    def write(content: str) -> None:
        for _ in range(20):
            write_atomic(path, content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert path.read_text() in contents
    for thread in threads:
        thread.join()
    assert [p.name for p in tmp_path.iterdir()] == ["record"]


@pytest.mark.parametrize("hashed", [sha256_of, cached_sha256_of])
def test_the_hash_of_a_file(tmp_path: Path, hashed: Callable[[Path], str]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert hashed(path) == hashlib.sha256(b"content").hexdigest()
    path.write_bytes(b"another content")
    assert hashed(path) == hashlib.sha256(b"another content").hexdigest()
    path.unlink()
    with pytest.raises(HostError, match=f"cannot read {path}: No such file"):
        hashed(path)


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    first = cached_sha256_of(path)
    monkeypatch.setattr(files, "sha256_of", lambda path: "read again")
    assert cached_sha256_of(path) == first
    os.utime(path, ns=(0, 0))
    assert cached_sha256_of(path) == "read again"


_HOLDER = """
import sys, time
from pathlib import Path
from foundation.files import lock_file
lock = lock_file(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_keeps_other_processes_out(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    waits: list[None] = []
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            lock_file(path)
        with pytest.raises(BlockingIOError):
            lock_file(path, deadline_s=0.5, on_wait=lambda: waits.append(None))
        assert len(waits) == 1
        threading.Timer(0.3, holder.stdin.close).start()
        with lock_file(path, deadline_s=20):
            pass
        assert holder.wait(20) == 0
    with lock_file(path):
        pass
