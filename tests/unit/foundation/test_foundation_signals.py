"""Signals held back, turned into KeyboardInterrupt, and put back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from foundation.signals import handled_by, signals_held, sigterm_as_interrupt


@pytest.fixture(autouse=True)
def came() -> Iterator[list[int]]:
    """Signals that reached the handler from before; it is there again after each test."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {
        number: signal.signal(number, lambda number, frame: came.append(number)) for number in numbers
    }
    mine = {number: signal.getsignal(number) for number in numbers}
    yield came
    assert {number: signal.getsignal(number) for number in numbers} == mine
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("python_handlers_only", [False, True])
def test_held_signals_come_after_the_block(came: list[int], python_handlers_only: bool) -> None:
    with signals_held(python_handlers_only=python_handlers_only):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert came == []
    assert came == [signal.SIGTERM, signal.SIGINT, signal.SIGINT]


def test_held_signals_come_after_a_block_that_fails(came: list[int]) -> None:
    def fail() -> None:
        with signals_held():
            os.kill(os.getpid(), signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert came == [signal.SIGINT]


def test_an_ignored_signal_stays_ignored(came: list[int]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals_held():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == []


_PROGRAM = """
import os, signal
from foundation.signals import signals_held
with signals_held(python_handlers_only={only}):
    os.kill(os.getpid(), signal.SIGTERM)
    print("the block ended", flush=True)
print("not reached", flush=True)
"""


@pytest.mark.parametrize(("only", "printed"), [(False, "the block ended\n"), (True, "")])
def test_a_signal_without_a_python_handler(only: bool, printed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(only=only)], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, printed)


def test_sigterm_is_an_interrupt_inside_the_block_only(came: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert came == [signal.SIGTERM]


def test_a_handler_for_several_signals(came: list[int]) -> None:
    handled: list[int] = []
    # A run under nohup ignores SIGHUP.
    before = signal.getsignal(signal.SIGHUP)
    with handled_by(lambda number, frame: handled.append(number), [signal.SIGHUP, signal.SIGINT]):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
    assert (handled, came) == ([signal.SIGHUP, signal.SIGINT], [signal.SIGTERM])
    assert signal.getsignal(signal.SIGHUP) is before


def test_another_thread_leaves_the_handlers_alone() -> None:
    seen: list[object] = []

    def run() -> None:
        with signals_held(), sigterm_as_interrupt():
            seen.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == before
