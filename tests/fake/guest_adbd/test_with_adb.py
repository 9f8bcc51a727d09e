"""The guest's adb daemon against the real adb server."""

from __future__ import annotations

import hashlib
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foundation.errors import CommandFailed, DeviceError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer, adb_binary


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


def test_very_many_short_commands_leave_no_process(device: AdbDevice) -> None:
    for i in range(60):
        assert device.script(f"echo {i}").stdout == f"{i}\n"
    with pytest.raises(CommandFailed):
        device.shell(["false"])
