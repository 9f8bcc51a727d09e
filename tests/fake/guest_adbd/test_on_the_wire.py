"""What the guest's adb daemon answers, packet by packet, also to a host that breaks the rules."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.fake.guest_adbd.wire import (
    CLSE,
    CNXN,
    MAX_PAYLOAD,
    OKAY,
    OPEN,
    WRTE,
    Host,
    sync_request,
    sync_session,
)


def test_one_packet_in_flight_until_it_is_acknowledged(daemon: int) -> None:
    host = Host(daemon)
    theirs = host.open(5, "exec:cat /dev/zero")
    command, _, _, payload = host.receive()
    assert command == WRTE
    assert 0 < len(payload) <= MAX_PAYLOAD
    assert host.silent()
    host.send(OKAY, 5, theirs)
    assert host.receive()[0] == WRTE


def test_a_packet_is_acknowledged_only_when_taken(daemon: int) -> None:
    host = Host(daemon)
    theirs = host.open(5, "exec:sleep 60")
    acknowledged = 0
    for _ in range(8):
        host.send(WRTE, 5, theirs, b"x" * MAX_PAYLOAD)
        if host.silent():
            break
        assert host.receive()[0] == OKAY
        acknowledged += 1
    # A socket buffer takes some, and then no more.
    assert acknowledged < 8


def test_small_packets_of_an_old_host_are_respected(daemon: int) -> None:
    host = Host(daemon, connect=False)
    host.send(CNXN, 0x01000001, 4096, b"host::")
    assert host.receive()[0] == CNXN
    host.open(1, "exec:head -c 100000 /dev/zero")
    assert len(host.receive()[3]) <= 4096


def test_an_unknown_service_is_refused(daemon: int) -> None:
    host = Host(daemon)
    for service in ("jdwp:1", "", "shellfish:ls", "sync", "tcp:80"):
        host.send(OPEN, 7, 0, service.encode() + b"\0")
        assert host.receive()[:3] == (CLSE, 0, 7)


def test_a_write_to_no_stream_is_answered_by_close(daemon: int) -> None:
    host = Host(daemon)
    host.send(WRTE, 3, 999, b"x")
    assert host.receive()[0] == CLSE
    host.send(CLSE, 3, 999)
    host.send(OKAY, 3, 999)
    assert host.silent()


def test_a_new_transport_replaces_a_dead_one(daemon: int) -> None:
    first = Host(daemon)
    first.open(1, "exec:sleep 60")
    second = Host(daemon)
    assert first.ended()
    second.open(1, "exec:echo hello")
    assert second.receive()[3] == b"hello\n"


def test_a_port_probe_does_not_end_the_transport(daemon: int) -> None:
    host = Host(daemon)
    probes = [socket.create_connection(("127.0.0.1", daemon)) for _ in range(20)]
    for probe in probes[::2]:
        probe.close()
    host.open(1, "exec:echo still here")
    assert host.receive()[3] == b"still here\n"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100,
        struct.pack("<6I", CNXN, 0x01000001, 4096, 0xFFFFFFF0, 0, CNXN ^ 0xFFFFFFFF),
        struct.pack("<6I", CNXN, 0, 0, 0, 0, 0),
        struct.pack("<6I", OPEN, 1, 0, 0, 0, OPEN ^ 0xFFFFFFFF),
    ],
)
def test_rubbish_ends_only_its_own_connection(daemon: int, rubbish: bytes) -> None:
    good = Host(daemon)
    bad = Host(daemon, connect=False)
    bad.socket.sendall(rubbish)
    assert bad.ended()
    good.open(1, "exec:echo fine")
    assert good.receive()[3] == b"fine\n"


def test_rubbish_in_a_live_transport_ends_it_and_the_next_host_is_served(daemon: int) -> None:
    host = Host(daemon)
    host.socket.sendall(b"\xff" * 24)
    assert host.ended()
    Host(daemon).open(1, "exec:true")


@pytest.mark.parametrize("cut", [1, 23, 24, 30, 40])
def test_an_abrupt_end_in_the_middle_of_a_packet(daemon: int, cut: int) -> None:
    host = Host(daemon)
    service = b"exec:echo never\0"
    header = struct.pack("<6I", OPEN, 1, 0, len(service) + 8, 0, OPEN ^ 0xFFFFFFFF)
    host.socket.sendall((header + service)[:cut])
    host.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    host.socket.close()
    again = Host(daemon)
    again.open(1, "exec:echo served")
    assert again.receive()[3] == b"served\n"


def test_a_host_that_vanishes_leaves_no_half_file(daemon: int, tmp_path: Path) -> None:
    host = Host(daemon)
    theirs = host.open(1, "sync:")
    path = tmp_path / "half"
    spec = f"{path},33188".encode()
    body = b"SEND" + struct.pack("<I", len(spec)) + spec + b"DATA" + struct.pack("<I", 1000) + b"x" * 10
    host.send(WRTE, 1, theirs, body)
    assert host.receive()[0] == OKAY
    host.socket.close()
    Host(daemon)
    for _ in range(100):
        if not path.exists():
            break
        time.sleep(0.05)
    assert not path.exists()


def test_stat_of_both_forms(daemon: int, tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"123")
    link.symlink_to(path)
    info = path.stat()
    kind, mode, size, mtime = struct.unpack("<4s3I", sync_session(daemon, sync_request(b"STAT", str(path))))
    assert (kind, mode, size, mtime) == (b"STAT", info.st_mode, 3, int(info.st_mtime))
    for request, target in ((b"STA2", path), (b"LST2", link)):
        answer = sync_session(daemon, sync_request(request, str(link)))
        kind, error, dev, ino, mode, *_ = struct.unpack("<4sIQQIIIIQqqq", answer)
        assert (kind, error, dev, ino) == (request, 0, target.lstat().st_dev, target.lstat().st_ino)
        assert mode == target.lstat().st_mode
    answer = sync_session(daemon, sync_request(b"STA2", str(tmp_path / "absent")))
    assert struct.unpack_from("<4sI", answer) == (b"STA2", 2)


def test_list_of_both_forms(daemon: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "b").mkdir()
    for request, entry, size in ((b"LIST", "<4s3I", 16), (b"LIS2", "<4sIQQIIIIQqqq", 72)):
        answer = sync_session(daemon, sync_request(request, str(tmp_path)))
        names = set()
        while answer[:4] != b"DONE":
            struct.unpack_from(entry, answer)
            (length,) = struct.unpack_from("<I", answer, size)
            names.add(answer[size + 4 : size + 4 + length].decode())
            answer = answer[size + 4 + length :]
        assert len(answer) == size + 4
        assert names == {".", "..", "a", "b"}
    assert sync_session(daemon, sync_request(b"LIST", "/absent")) == b"DONE" + b"\0" * 16


def test_second_forms_of_send_and_receive(daemon: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = b"DATA" + struct.pack("<I", 5) + b"hello" + b"DONE" + struct.pack("<I", 1_600_000_000)
    request = sync_request(b"SND2", str(path)) + b"SND2" + struct.pack("<II", 0o100600, 0) + data
    assert sync_session(daemon, request) == b"OKAY" + b"\0" * 4
    assert path.read_bytes() == b"hello"
    assert int(path.stat().st_mtime) == 1_600_000_000
    receive = sync_request(b"RCV2", str(path)) + b"RCV2" + struct.pack("<I", 0)
    assert sync_session(daemon, receive) == b"DATA" + struct.pack("<I", 5) + b"hello" + b"DONE" + b"\0" * 4


def test_sync_failures_are_told(daemon: int, tmp_path: Path) -> None:
    assert sync_session(daemon, sync_request(b"RECV", str(tmp_path / "absent")))[:4] == b"FAIL"
    assert sync_session(daemon, sync_request(b"RECV", str(tmp_path)))[:4] == b"FAIL"
    assert sync_session(daemon, b"WHAT" + b"\0" * 4)[:4] == b"FAIL"
    long_path = sync_request(b"STAT", "/" + "x" * 2000)
    assert sync_session(daemon, long_path)[:4] == b"FAIL"
    # Compression is not announced, so it is refused.
    compressed = sync_request(b"RCV2", "/etc/passwd") + b"RCV2" + struct.pack("<I", 1)
    assert sync_session(daemon, compressed)[:4] == b"FAIL"


def test_a_symbolic_link_is_pushed_as_one(daemon: int, tmp_path: Path) -> None:
    link = tmp_path / "link"
    data = b"DATA" + struct.pack("<I", 6) + b"target" + b"DONE" + b"\0" * 4
    assert sync_session(daemon, sync_request(b"SEND", f"{link},{0o120777}") + data) == b"OKAY" + b"\0" * 4
    assert os.readlink(link) == "target"  # noqa: PTH115 (the text, not where it leads)
