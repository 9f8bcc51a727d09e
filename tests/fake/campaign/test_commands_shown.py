"""``-v`` shows what a device is sent; without it nothing does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import CommandFailed, CommandTimeout
from harness.campaign.session import LOST_BLOCKS_MAX
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.command_log import listen
from tests.stand_ins.device import FakeDevice

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shown() -> Iterator[list[str]]:
    """Lines of the commands, as a listener gets them."""
    lines: list[str] = []
    end = listen(lines.append)
    yield lines
    end()


def matches(line: str, pattern: str) -> bool:
    return re.fullmatch(pattern, line) is not None


def test_a_command_is_shown_as_sent_with_time_and_status(host_device: AdbDevice, shown: list[str]) -> None:
    host_device.shell(["echo", "two words", "it's"])
    host_device.shell(["false"], check=False)
    with pytest.raises(CommandFailed):
        host_device.shell(["ls", "/no such folder"])
    host_device.push_bytes(b"12345", "/data/local/tmp/a file")
    process = host_device.spawn(["sleep", "600"])
    process.stop()
    serial, timed = re.escape(f"[{host_device.serial}]"), r"  \(\d+\.\d{3} s, "
    wanted = [
        rf"{serial} echo 'two words' 'it'\\''s'{timed}exit 0\)",
        rf"{serial} false{timed}exit 1\)",
        rf"{serial} ls '/no such folder'{timed}exit 2\)",
        rf"{serial} push to '/data/local/tmp/a file'{timed}5 bytes\)",
        rf"{serial} sleep 600 &{timed}runs as pid \d+\)",
        rf"{serial} kill -TERM .*{timed}exit 0\)",
        rf"{serial} stop sleep 600{timed}exit \d+ after \d+\.\d+ s\)",
    ]
    assert len(shown) == len(wanted), shown
    for line, pattern in zip(shown, wanted, strict=True):
        assert matches(line, pattern), (line, pattern)


def test_a_command_without_an_end_says_why(host_device: AdbDevice, shown: list[str]) -> None:
    with pytest.raises(CommandTimeout):
        host_device.shell(["sleep", "60"], deadline_s=0.3)
    assert matches(shown[0], r"\[.*\] sleep 60  \(\d+\.\d{3} s, CommandTimeout\)"), shown


def test_a_long_script_is_one_line(host_device: AdbDevice, shown: list[str]) -> None:
    host_device.script("true\n" * 200)
    (line,) = shown
    assert "\n" not in line
    assert "…" in line
    assert len(line) < 350


@pytest.mark.parametrize(("option", "seen"), [([], False), (["-v"], True)], ids=["quiet", "-v"])
def test_a_campaign_is_quiet_unless_asked(option: list[str], seen: bool, tmp_path: Path) -> None:
    with AdbServer.start() as server, FakeDevice() as fake:
        server.connect(fake.serial)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "android_tests", "-p", "no:cacheprovider"),
                *("--device=phone", "--variant", "a=as-is", "--variant", "b=as-is", "--pairs", "1"),
                *("--scenario", "idle", "--adb-port", str(server.port), "--results", str(tmp_path / "r")),
                *option,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    commands = [line for line in done.stdout.splitlines() if line.startswith(f"    $ [{fake.serial}] ")]
    assert bool(commands) == seen, done.stdout
    assert all(re.search(r"  \(\d+\.\d{3} s, .+\)$", command) for command in commands)
    assert "Captured log" not in done.stdout
    # An error is told where it happens, in one line, and again at the end; the second ends the campaign.
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert len(errors) == LOST_BLOCKS_MAX
    assert all(f"[{fake.serial}]" in error for error in errors)
