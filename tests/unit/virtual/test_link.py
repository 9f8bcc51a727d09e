"""Lock-step control: turns, orders and replies, against a guest that is a thread of this process."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import CommandFailed, CommandTimeout, DeviceError, DeviceLost, UsageError
from harness.virtual.link.channel import (
    _HEADER,
    MEMORY_BYTES,
    ROOM,
    Channel,
    DebugConsoleChannel,
    Message,
    SemihostingChannel,
)
from harness.virtual.link.lockstep_device import LockstepDevice

RUN, SPAWN, LOOK, WAIT, FORGET, PUT, GET = range(1, 8)
ENDED, KILLED_LATE = 1, 2


class Guest:
    """What QEMU and guest/link do, at the other end of a channel's files; commands run on this host."""

    def __init__(self, folder: Path, channel: Channel) -> None:
        self._folder = folder
        self._semihosting = isinstance(channel, SemihostingChannel)
        with (folder / "link-memory").open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), MEMORY_BYTES)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.turns = 0
        self.replies = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _turn(self, pipes: list[int]) -> None:
        if self._semihosting:
            os.write(pipes[1], b".")
            os.read(pipes[0], 1)
        else:
            for _ in range(4097):
                os.write(pipes[0], b".")
        self.turns += 1

    def _serve(self) -> None:
        if self._semihosting:
            pipes = [os.open(self._folder / name, os.O_RDWR) for name in ("to-guest", "from-guest")]
        else:
            pipes = [os.open(self._folder / "debug-console", os.O_WRONLY)]
        # The channel's end closes the pipes.
        with contextlib.suppress(OSError, ValueError):
            while True:
                self._turn(pipes)
                self._carry_out()

    def _carry_out(self) -> None:
        kind, deadline_ms, first, second, _, _, number = _HEADER.unpack(self._memory[: _HEADER.size])
        content = self._memory[_HEADER.size : _HEADER.size + first + second]
        reply = self._reply(kind, deadline_ms, content[:first].decode(), content[first:], number)
        answered = kind | (0x8000_0000 if self.replies else 0)
        sizes = (len(reply.first), len(reply.second))
        head = _HEADER.pack(answered, 0, *sizes, reply.status, reply.flags, reply.number)
        body = head + reply.first + reply.second
        self._memory[: len(body)] = body

    def _reply(self, kind: int, deadline_ms: int, text: str, content: bytes, number: int) -> Message:
        if kind == RUN:
            try:
                done = subprocess.run(
                    ["sh", "-c", text], input=content, capture_output=True, timeout=deadline_ms / 1000
                )
            except subprocess.TimeoutExpired:
                return Message(flags=KILLED_LATE)
            return Message(
                status=done.returncode, flags=ENDED, number=5_000_000, first=done.stdout, second=done.stderr
            )
        if kind == SPAWN:
            process = subprocess.Popen(["sh", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self._processes[process.pid] = process
            return Message(status=process.pid)
        if kind in (LOOK, WAIT, FORGET):
            process = self._processes[number]
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(deadline_ms / 1000 if kind == WAIT else 0.01)
            if process.poll() is None:
                return Message()
            out, err = process.communicate() if kind == FORGET else (b"", b"")
            status = process.returncode if process.returncode >= 0 else 128 - process.returncode
            return Message(status=status, flags=ENDED, first=out, second=err)
        path, offset = Path(text), number & 0xFFFFFFFFFFFF
        if kind == PUT:
            try:
                with path.open("r+b" if offset else "wb") as file:
                    file.seek(offset)
                    file.write(content)
                path.chmod(number >> 48)
            except OSError as error:
                return Message(status=-(error.errno or errno.EIO))
            return Message()
        assert kind == GET
        if not path.exists():
            return Message(status=-errno.ENOENT)
        with path.open("rb") as file:
            file.seek(offset)
            return Message(first=file.read(ROOM), number=path.stat().st_size)


@pytest.fixture(params=[SemihostingChannel, DebugConsoleChannel])
def channel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Channel]:
    opened: Channel = request.param(tmp_path, lambda: None, time.monotonic)
    yield opened
    opened.close()
    assert not list(tmp_path.glob("*")) or {path.name for path in tmp_path.iterdir()} <= {"x", "y"}


@pytest.fixture
def device(channel: Channel, tmp_path: Path) -> LockstepDevice:
    Guest(tmp_path, channel)
    channel.wait(limit_s=10)
    return LockstepDevice(channel, "virtual-0")


def test_a_command_with_its_status_and_both_outputs(device: LockstepDevice) -> None:
    done = device.script("echo out; echo err >&2; exit 3", check=False)
    assert (done.exit_status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.dur_s == 0.005
    with pytest.raises(CommandFailed, match="exit status 3: err"):
        device.script("echo err >&2; exit 3")
    assert device.shell(["printf", "%s", "a b'c"]).stdout == "a b'c"
    assert device.shell(["cat"], stdin=b"\x00\xff").stdout == "\x00�"


def test_the_guest_does_nothing_between_orders(channel: Channel, tmp_path: Path) -> None:
    guest = Guest(tmp_path, channel)
    channel.wait(limit_s=10)
    time.sleep(0.2)
    assert guest.turns == 0
    LockstepDevice(channel, "d").script("true")
    time.sleep(0.2)
    assert guest.turns == 1


def test_a_late_command(device: LockstepDevice) -> None:
    with pytest.raises(CommandTimeout, match=r"did not end within 0\.2 s"):
        device.script("sleep 5", deadline_s=0.2)
    assert device.script("echo on").stdout == "on\n"


def test_files_of_any_size_and_content(device: LockstepDevice, tmp_path: Path) -> None:
    content = os.urandom(9 << 20)
    device.push_bytes(content, str(tmp_path / "x"), mode=0o751)
    assert (tmp_path / "x").read_bytes() == content
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o751
    seen: list[int] = []
    device.pull(str(tmp_path / "x"), tmp_path / "y", progress=seen.append)
    assert (tmp_path / "y").read_bytes() == content
    assert seen[-1] == len(content)
    device.push_bytes(b"", str(tmp_path / "x"))
    assert (tmp_path / "x").read_bytes() == b""
    device.write_text(str(tmp_path / "x"), "42\n")
    assert device.read_text(str(tmp_path / "x")) == "42\n"


def test_files_that_cannot_be(device: LockstepDevice, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="No such file"):
        device.pull("/nowhere/at/all", tmp_path / "y")
    assert not (tmp_path / "y").exists()
    with pytest.raises(DeviceError, match="No such file"):
        device.push_bytes(b"1", "/nowhere/at/all")
    with pytest.raises(UsageError, match="cannot be read"):
        device.push(tmp_path / "none", "/tmp/x")


def test_a_command_left_running(device: LockstepDevice) -> None:
    process = device.spawn(["sh", "-c", "echo begun; exec sleep 60"])
    assert process.poll() is None
    with pytest.raises(CommandTimeout):
        process.wait(deadline_s=0.05)
    done = process.stop()
    assert (done.exit_status, done.stdout) == (128 + 15, "begun\n")
    assert process.poll() == 128 + 15
    assert process.output() == "begun\n"
    assert process.stop() == done


def test_a_guest_that_ends_is_lost_with_its_reason(tmp_path: Path) -> None:
    channel = SemihostingChannel(tmp_path, lambda: "the kernel crashed: panic", time.monotonic)
    with pytest.raises(DeviceLost, match="the kernel crashed: panic"):
        LockstepDevice(channel, "virtual-0").script("true")
    channel.close()


def test_a_guest_that_hangs_is_lost_after_the_limit(tmp_path: Path) -> None:
    channel = SemihostingChannel(tmp_path, lambda: None, time.monotonic)
    with pytest.raises(DeviceLost, match="did not answer within 1 s"):
        channel.exchange(Message(RUN), limit_s=0.5 + 0.5)
    channel.close()


def test_an_emulator_that_uses_no_cpu_time_is_lost_whatever_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.virtual.stall.STALL_S", 0.5)
    channel = SemihostingChannel(tmp_path, lambda: None, lambda: 7.0)
    begin = time.monotonic()
    with pytest.raises(DeviceLost, match="the emulator hangs: it has used no CPU time") as caught:
        channel.exchange(Message(RUN), limit_s=3600)
    assert time.monotonic() - begin < 30
    assert caught.value.transient, "the block gets another boot"
    channel.close()


def test_messages_that_do_not_fit_are_refused_before_they_are_sent(channel: Channel) -> None:
    with pytest.raises(UsageError, match="too long"):
        channel.exchange(Message(RUN, first=b"x" * (ROOM + 1)), limit_s=1)


def test_after_an_order_that_was_given_up_no_other_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = SemihostingChannel(tmp_path, lambda: None, time.monotonic)
    Guest(tmp_path, channel)
    channel.wait(limit_s=10)
    device = LockstepDevice(channel, "virtual-0")

    def interrupted() -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(channel, "_has_turn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        device.script("sleep 1")
    with pytest.raises(DeviceLost, match="earlier order"):
        device.script("true")
    channel.close()


def test_a_link_that_starts_anew_has_replied_to_nothing(channel: Channel, tmp_path: Path) -> None:
    guest = Guest(tmp_path, channel)
    guest.replies = False
    channel.wait(limit_s=10)
    with pytest.raises(DeviceLost, match="ended in an order"):
        LockstepDevice(channel, "virtual-0").script("true")
