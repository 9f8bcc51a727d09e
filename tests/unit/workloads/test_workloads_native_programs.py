"""The native workload programs, run on this host: what they print, and when they end."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from foundation.contract.arch import Arch
from harness.native.build import binary

CONTENT = "zero:0.1,same:0.2,ratio2.5:0.4,random:0.3"


def program(name: str) -> str:
    return str(binary(name, cast(Arch, platform.machine())))


def eat(*options: str, runner: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [*(runner or [program("eater")]), "--content", CONTENT, *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {line["event"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_the_eater_fills_touches_and_verifies() -> None:
    phases = eat("--mb", "8", "--touches", "1000", "--rewrite-share", "0.25", "--verify", "--seed", "3")
    assert list(phases) == ["fill", "touch", "verify"]
    assert [phase["pages"] for phase in phases.values()] == [2048, 1000, 2048]
    assert [phase["mismatches"] for phase in phases.values()] == [0, 0, 0]
    assert [phase["first_wrong"] for phase in phases.values()] == [-1, -1, -1]
    assert 200 < phases["touch"]["rewritten"] < 300, "a quarter of 1000, give or take 3.6 sigma"
    for phase in phases.values():
        counted = sum(count for _, count in phase["buckets"])
        assert counted == phase["pages"]
        edges = [least for least, _ in phase["buckets"]]
        assert edges == sorted(edges)
        assert edges[-1] <= phase["max_ns"] < edges[-1] * 1.25 + 1
        least = sum(edge * count for edge, count in phase["buckets"])
        assert least <= phase["total_ns"] < least * 1.25 + phase["pages"]


def test_the_same_seed_touches_and_rewrites_the_same() -> None:
    options = ("--mb", "2", "--touches", "300", "--rewrite-share", "0.5")
    assert eat(*options)["touch"]["rewritten"] == eat(*options)["touch"]["rewritten"]
    one, two = (eat(*options, "--seed", seed)["touch"]["rewritten"] for seed in ("1", "2"))
    assert abs(one - two) < 60


def test_the_eater_keeps_to_an_asked_rate() -> None:
    """It never runs ahead of the rate, however slow the host is."""
    assert eat("--mb", "16", "--rate-mb-s", "40")["fill"]["dur_us"] >= 16 / 40 * 1e6 * 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "usage: eater"),
        (("--mb", "8"), "usage: eater"),
        (("--mb", "-1", "--content", CONTENT), "--mb '-1' is out of range"),
        (("--mb", "1", "--content", "fog:1"), "--content:"),
        (("--mb", "1", "--content", CONTENT, "--rewrite-share", "1.5"), "--rewrite-share '1.5'"),
        (("--mb",), "--mb needs a value"),
        (("--fast", "1"), "unknown option '--fast'"),
    ],
)
def test_the_eater_refuses_what_it_cannot_do(options: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        [program("eater"), *options], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "usage: burner"),
        (("--all-cpus", "--busy-ms", "5"), "usage: burner"),
        (("--all-cpus", "--every-ms", "5"), "usage: burner"),
        (("--all-cpus", "--busy-ms", "6", "--every-ms", "5"), "usage: burner"),
        (("--all-cpus", "--fifo", "0"), "'0' is not a number from 1 to 99"),
    ],
)
def test_the_burner_refuses_what_it_cannot_do(options: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        [program("burner"), *options], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("burner", "--threads", "1", "--busy-ms", "1", "--every-ms", "50"),
        ("burner", "--threads", "1"),
        ("eater", "--mb", "64", "--rate-mb-s", "1", "--content", CONTENT),
    ],
    ids=lambda command: command[0],
)
def test_a_program_ends_with_the_reader_of_its_output(command: tuple[str, ...]) -> None:
    process = subprocess.Popen([program(command[0]), *command[1:]], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if command[0] == "burner":
            assert process.stdout.readline() == b"ready 1\n"
        assert process.poll() is None
        process.stdout.close()
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(shutil.which("qemu-aarch64-static") is None, reason="qemu-user-static is not installed")
def test_the_phones_programs_run_on_the_phones_processor() -> None:
    """The aarch64 eater does the same work as this machine's, and the burner burns."""
    qemu = ["qemu-aarch64-static"]
    options = ["--mb", "4", "--touches", "300", "--rewrite-share", "0.25", "--verify", "--seed", "3"]
    phases = eat(*options, runner=[*qemu, str(binary("eater", "aarch64"))])
    assert [phases[name]["pages"] for name in ("fill", "touch", "verify")] == [1024, 300, 1024]
    assert all(phase["mismatches"] == 0 for phase in phases.values())
    assert phases["touch"]["rewritten"] == eat(*options)["touch"]["rewritten"]
    burner = subprocess.Popen(
        [*qemu, str(binary("burner", "aarch64")), "--all-cpus"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    try:

        def used_ticks() -> int:
            fields = Path(f"/proc/{burner.pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])

        deadline = time.monotonic() + 20
        while used_ticks() < 20 and burner.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert burner.poll() is None
        assert used_ticks() >= 20
    finally:
        burner.terminate()
        assert burner.stdout is not None
        burner.stdout.close()
        burner.wait(timeout=10)
