"""The guest's adb daemon, run on this host, against the real adb server."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from android_tests.device.adb_device import AdbDevice
from android_tests.device.adb_server import AdbServer, adb_binary
from android_tests.virtual.guest_programs import guest_program
from android_tests.virtual.qemu import free_port
from foundation.errors import CommandFailed, DeviceError

CNXN, OPEN, OKAY, CLSE, WRTE = (
    struct.unpack("<I", word)[0] for word in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
MAX_PAYLOAD = 256 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[AdbServer]:
    with AdbServer.start() as started:
        yield started


@pytest.fixture
def daemon() -> Iterator[int]:
    """Port of a daemon on the loopback interface."""
    port = free_port()
    with subprocess.Popen(
        [guest_program("adbd"), "--listen", "127.0.0.1", "--port", str(port)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield port
        assert process.poll() is None, "the daemon ended by itself"
        process.kill()


@pytest.fixture
def device(server: AdbServer, daemon: int) -> Iterator[AdbDevice]:
    serial = server.connect(f"127.0.0.1:{daemon}", deadline_s=20)
    yield AdbDevice(server, serial, emulated=True)
    server.disconnect(serial)


def adb(
    device: AdbDevice, server: AdbServer, *words: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run the adb program itself against our server."""
    command = [str(adb_binary()), "-P", str(server.port), "-s", device.serial, *words]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_features_are_what_is_implemented(device: AdbDevice) -> None:
    assert device.features == {"shell_v2", "cmd", "stat_v2", "ls_v2", "sendrecv_v2"}


@pytest.mark.parametrize("status", [0, 1, 7, 127, 255])
def test_exit_status_and_separate_streams(device: AdbDevice, status: int) -> None:
    done = device.script(f"echo out; echo err >&2; exit {status}", check=False)
    assert (done.exit_status, done.stdout, done.stderr) == (status, "out\n", "err\n")


def test_a_signal_is_128_and_more(device: AdbDevice) -> None:
    assert device.script("kill -9 $$", check=False).exit_status == 137


def test_stdin_is_passed_and_its_end_is_seen(device: AdbDevice) -> None:
    assert device.shell(["wc", "-c"], stdin=b"x" * 100_000).stdout.strip() == "100000"
    assert device.shell(["cat"], stdin=b"").stdout == ""


def test_a_command_that_reads_no_stdin_still_ends(device: AdbDevice, server: AdbServer) -> None:
    done = adb(device, server, "shell", "exit 5", stdin=noise(3_000_000))
    assert done.returncode == 5


def test_more_of_both_than_any_buffer(device: AdbDevice, server: AdbServer) -> None:
    content = noise(8_000_000)
    done = adb(device, server, "shell", "cat; echo end >&2; exit 3", stdin=content)
    assert done.stdout == content
    assert (done.stderr, done.returncode) == (b"end\n", 3)


def test_exec_is_binary_safe_both_ways(device: AdbDevice, server: AdbServer, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000 + b"\r\n\n\r"
    source = tmp_path / "source"
    source.write_bytes(content)
    assert adb(device, server, "exec-out", f"cat {source}").stdout == content


# adb sends its last two packets without waiting, and its close right behind them.
@pytest.mark.parametrize("size", [0, 1, 262_144, 5_000_001])
def test_exec_in_keeps_the_tail(device: AdbDevice, server: AdbServer, tmp_path: Path, size: int) -> None:
    target, done = tmp_path / "target", tmp_path / "done"
    content = noise(size)
    for _ in range(5):
        adb(device, server, "exec-in", f"cat > {target}; touch {done}", stdin=content)
        for _ in range(200):
            if done.exists():
                break
            time.sleep(0.05)
        assert target.read_bytes() == content
        done.unlink()


def test_eight_streams_at_once(device: AdbDevice, tmp_path: Path) -> None:
    contents = [noise(1_000_000 + i) for i in range(4)]

    def run(i: int) -> object:
        if i % 2:
            return device.script(f"sleep 0.{i}; echo {i}; exit {i}", check=False).exit_status
        local, back = tmp_path / f"back{i}", str(tmp_path / f"pushed{i}")
        device.push_bytes(contents[i // 2], back)
        device.pull(back, local)
        return hashlib.sha256(local.read_bytes()).hexdigest()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, range(8)))
    assert results[1::2] == [1, 3, 5, 7]
    assert results[0::2] == [hashlib.sha256(content).hexdigest() for content in contents]


def test_a_stream_that_is_not_read_does_not_hold_up_others(device: AdbDevice, server: AdbServer) -> None:
    command = [str(adb_binary()), "-P", str(server.port), "-s", device.serial, "exec-out", "cat /dev/zero"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stuck:
        assert stuck.stdout is not None
        stuck.stdout.read(1)
        for i in range(5):
            assert device.script(f"echo {i}").stdout == f"{i}\n"
        stuck.kill()
    assert device.script("echo after").stdout == "after\n"


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 4_000_000])
def test_push_and_pull(device: AdbDevice, tmp_path: Path, size: int) -> None:
    content = noise(size)
    there, back = tmp_path / "new folder" / "fi'le", tmp_path / "back"
    device.push_bytes(content, str(there), mode=0o754)
    assert there.read_bytes() == content
    # As Android does: the owner's bits go to the group, the group's to all others.
    assert there.stat().st_mode & 0o777 == 0o777
    device.pull(str(there), back)
    assert back.read_bytes() == content


def test_a_push_replaces_what_was_there(device: AdbDevice, tmp_path: Path) -> None:
    there = tmp_path / "file"
    there.write_text("longer than the new one")
    device.push_bytes(b"new", str(there))
    assert there.read_bytes() == b"new"


def test_a_push_that_cannot_be_kept_says_why(device: AdbDevice) -> None:
    with pytest.raises(DeviceError, match=r"/dev/null/file|Not a directory"):
        device.push_bytes(noise(3_000_000), "/dev/null/file")
    assert device.script("echo alive").stdout == "alive\n"


def test_whole_folders(device: AdbDevice, server: AdbServer, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    for i in range(40):
        (source / "deep" / f"f{i}").write_bytes(noise(i * 97))
    (source / "deep" / "er" / "last").write_bytes(b"x")
    assert adb(device, server, "push", str(source), str(tmp_path / "there")).returncode == 0
    assert adb(device, server, "pull", str(tmp_path / "there"), str(tmp_path / "back")).returncode == 0
    for path in source.rglob("*"):
        if path.is_file():
            assert (tmp_path / "back" / path.relative_to(source)).read_bytes() == path.read_bytes()


def test_stat(device: AdbDevice, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    path.chmod(0o640)
    found = device.stat(str(path))
    assert found is not None
    assert (found.size, found.mode) == (5, path.stat().st_mode)
    assert device.stat(str(tmp_path / "absent")) is None
    assert device.stat("/proc/1/nothing") is None


def test_root_and_reboot(device: AdbDevice, server: AdbServer) -> None:
    assert b"already running as root" in adb(device, server, "root").stdout
    # This host has no /system/bin/reboot, and nothing else is tried.
    assert not Path("/system/bin/reboot").exists()
    assert b"cannot reboot" in adb(device, server, "reboot").stdout
    assert device.script("echo alive").stdout == "alive\n"


def test_a_terminal(device: AdbDevice, server: AdbServer) -> None:
    done = adb(device, server, "shell", "-tt", "tty; stty size >/dev/null && echo sized; exit 4")
    assert b"/dev/pts/" in done.stdout
    assert b"sized" in done.stdout
    assert done.returncode == 4


def test_a_command_of_its_host_is_told_by_sigpipe(
    device: AdbDevice, server: AdbServer, tmp_path: Path
) -> None:
    mark = tmp_path / "ended"
    script = f"trap 'touch {mark}; exit' PIPE; while :; do echo x; sleep 0.05; done"
    command = [str(adb_binary()), "-P", str(server.port), "-s", device.serial, "shell", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        host.stdout.readline()
        host.kill()
    for _ in range(200):
        if mark.exists():
            break
        time.sleep(0.05)
    assert mark.exists()


# From here on we speak the protocol ourselves, to do what the adb server never does.


class Host:
    """One raw connection."""

    def __init__(self, port: int, *, connect: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        if connect:
            self.send(CNXN, 0x01000001, MAX_PAYLOAD, b"host::features=shell_v2")
            command, version, _, banner = self.receive()
            assert (command, version) == (CNXN, 0x01000001)
            assert banner.startswith(b"device::")

    def send(self, command: int, arg0: int, arg1: int, payload: bytes = b"") -> None:
        header = struct.pack("<6I", command, arg0, arg1, len(payload), 0, command ^ 0xFFFFFFFF)
        self.socket.sendall(header + payload)

    def receive(self) -> tuple[int, int, int, bytes]:
        command, arg0, arg1, length, _, magic = struct.unpack("<6I", self._exactly(24))
        assert magic == command ^ 0xFFFFFFFF
        return command, arg0, arg1, self._exactly(length)

    def open(self, mine: int, service: str) -> int:
        self.send(OPEN, mine, 0, service.encode() + b"\0")
        command, theirs, to, _ = self.receive()
        assert (command, to) == (OKAY, mine)
        return theirs

    def silent(self) -> bool:
        """Whether nothing comes for a while."""
        self.socket.settimeout(0.4)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK) and False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)

    def ended(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            assert more, "the daemon closed the connection"
            got += more
        return got


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
        host.send(WRTE, 5, theirs, noise(MAX_PAYLOAD))
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


def sync_session(daemon: int, request: bytes) -> bytes:
    """Send one sync request and QUIT; all that comes back."""
    host = Host(daemon)
    theirs = host.open(1, "sync:")
    host.send(WRTE, 1, theirs, request + b"QUIT" + struct.pack("<I", 0))
    answer = b""
    while True:
        command, _, _, payload = host.receive()
        if command == CLSE:
            return answer
        if command == WRTE:
            answer += payload
            host.send(OKAY, 1, theirs)


def sync_request(kind: bytes, argument: str) -> bytes:
    encoded = argument.encode()
    return kind + struct.pack("<I", len(encoded)) + encoded


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


def test_very_many_short_commands_leave_no_process(device: AdbDevice) -> None:
    for i in range(60):
        assert device.script(f"echo {i}").stdout == f"{i}\n"
    with pytest.raises(CommandFailed):
        device.shell(["false"])
