"""What QEMU is given in place of the host's time, by the instruction clock."""

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

# A thread that stands for the guest's CPU: it halts, runs for a while, and halts again.
TURNS = """
import ctypes, threading, time
libc = ctypes.CDLL(None)
cond, mutex = (ctypes.c_char * 64)(), (ctypes.c_char * 64)()
now = (ctypes.c_long * 2)()

def main_loop(word):
    libc.ppoll(None, 0, ctypes.byref(now), None)
    print(word, flush=True)

def halt():
    libc.pthread_mutex_lock(mutex)
    halted.set()
    libc.pthread_cond_wait(cond, mutex)
    libc.pthread_mutex_unlock(mutex)

def cpu():
    halt()
    time.sleep(0.5)
    print("run", flush=True)
    halt()

halted = threading.Event()
main_loop("no CPU yet")
thread = threading.Thread(target=cpu)
thread.start()
for wake in (libc.pthread_cond_signal, libc.pthread_cond_broadcast):
    halted.wait()
    halted.clear()
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_unlock(mutex)
    main_loop("halted")
    wake(cond)
    if thread.is_alive() and wake is libc.pthread_cond_signal:
        main_loop("halted again")
thread.join()
"""


def printed(program: str, preloaded: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LD_PRELOAD": preloaded},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_wall_clock_stands_still() -> None:
    assert printed(READ, str(build.still_host())) == ["1767225600 0"] * 2
    moving = printed(READ, "")
    assert moving[0] != moving[1]


def test_the_main_loop_takes_its_turn_while_the_cpu_is_halted() -> None:
    still = printed(TURNS, str(build.still_host()))
    assert still == ["no CPU yet", "halted", "run", "halted again", "halted"]
    assert printed(TURNS, "") == ["no CPU yet", "halted", "halted again", "run", "halted"]


def test_another_kind_of_host_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(HostError, match="not made for hosts of riscv64"):
        build.still_host()
