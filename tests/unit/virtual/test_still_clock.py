"""The wall clock that QEMU sees by the instruction clock."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from foundation.errors import HostError
from harness.native import build

READ = """
import ctypes
words = (ctypes.c_long * 2)()
for _ in range(2):
    assert ctypes.CDLL(None).gettimeofday(ctypes.byref(words), None) == 0
    print(*words)
"""


def read(preloaded: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", READ],
        env={**os.environ, "LD_PRELOAD": preloaded},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_wall_clock_stands_still() -> None:
    assert read(str(build.still_clock())) == ["1767225600 0"] * 2
    moving = read("")
    assert moving[0] != moving[1]


def test_another_kind_of_host_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(HostError, match="not made for hosts of riscv64"):
        build.still_clock()
