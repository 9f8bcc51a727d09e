"""The fake device's shell answers as a real one does, for the texts it takes."""

from __future__ import annotations

import pytest

from harness.device.adb.adb_device import AdbDevice
from tests.stand_ins.device import FakeDevice

_TEXTS = [
    "echo a; echo b",
    "echo a\necho b",
    "true && echo yes || echo no",
    "false && echo yes || echo no",
    "false || true && echo both",
    "! false; echo $?",
    "! true; echo $?",
    "false; echo $?",
    "{ echo in; false; } 2>&1; echo $?",
    "printf '%s\\n' 'a b' \"c $? d\" e\\ f",
    "printf '\\n%s|\\n' $?",
    "echo one | cat",
    "{ sleep 0.1; echo job; } & echo shell; wait $!; echo after",
    "(exit 3) & wait $!; echo $?",
    "{\necho one\necho two >&2\n} > /dev/null 2>&1; echo three",
    "(echo a; exit 2; echo b); echo $?",
    "a=b; (a=c; echo $a); echo $a",
    "echo err >&2; echo out",
    "cat /nowhere/file 2>/dev/null; echo $?",
    'echo "$(echo inner; echo two)"',
    "eval 'echo evaluated; false'; echo $?",
    "exec echo replaced; echo never",
    "echo before; exit 3; echo never",
    "# a comment\necho after",
    "echo a#b '#c' \"#d\"",
    "test -e / && echo root",
    "test a = a && echo same; test a != a || echo other",
    "cat </dev/null; echo $?",
    "no-such-program-anywhere 2>/dev/null; echo $?",
]


@pytest.mark.parametrize("text", _TEXTS)
def test_same_as_a_real_shell(device: AdbDevice, host_device: AdbDevice, text: str) -> None:
    fake, real = (one.script(text, check=False) for one in (device, host_device))
    assert (fake.exit_status, fake.stdout) == (real.exit_status, real.stdout)
    assert bool(fake.stderr) == bool(real.stderr)


@pytest.mark.parametrize(
    "text",
    ["if true; then echo; fi", "for x in a; do echo; done", "a && b &", "echo $HOME", "echo `id`", "a )"],
)
def test_what_it_does_not_know_is_an_error(device: AdbDevice, text: str) -> None:
    result = device.script(text, check=False)
    assert result.exit_status == 2
    assert "fake shell" in result.stderr


def test_globs_and_files(device: AdbDevice, fake: FakeDevice) -> None:
    fake.files.put("/data/local/tmp/a1", "one\n")
    fake.files.put("/data/local/tmp/a2", "two\n")
    fake.files.put("/data/local/tmp/deep/a3", "three\n")
    assert device.script("cat /data/local/tmp/a*").stdout == "one\ntwo\n"
    assert device.script("echo '/data/local/tmp/a*' /data/x*").stdout == "/data/local/tmp/a* /data/x*\n"
    device.script("echo more >> /data/local/tmp/a1; echo new > /data/local/tmp/a4")
    assert fake.files.read("/data/local/tmp/a1") == b"one\nmore\n"
    assert device.script("ls /data/local/tmp").stdout.split() == ["a1", "a2", "a4", "deep"]
    device.shell(["rm", "-rf", "/data/local/tmp/deep"])
    assert not fake.files.exists("/data/local/tmp/deep/a3")
