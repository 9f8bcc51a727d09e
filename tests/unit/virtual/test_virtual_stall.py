"""When an emulator hangs, and when it is only slow."""

from __future__ import annotations

from dataclasses import dataclass

from harness.virtual.stall import STALL_S, StallWatch


@dataclass
class Machine:
    now_s: float = 100.0
    cpu_s: float = 3.0

    def watch(self) -> StallWatch:
        return StallWatch(lambda: self.cpu_s, clock=lambda: self.now_s)


def test_one_that_uses_no_cpu_time_hangs() -> None:
    machine = Machine()
    watch = machine.watch()
    machine.now_s += STALL_S - 1
    assert watch.hung() is None
    machine.now_s += 1
    assert watch.hung() == f"the emulator hangs: it has used no CPU time for {STALL_S:.0f} s"


def test_one_on_a_host_that_is_busy_with_twenty_others_is_slow() -> None:
    machine = Machine()
    watch = machine.watch()
    for _ in range(600):
        machine.now_s += 1
        machine.cpu_s += 0.05 * 1.01
        assert watch.hung() is None
    assert round(watch.used_s()) == 30, "a deadline counts what it ran, not what it waited"


def test_a_clock_tick_now_and_then_is_no_progress() -> None:
    machine = Machine()
    watch = machine.watch()
    for _ in range(round(STALL_S)):
        machine.now_s += 1
        machine.cpu_s += 0.001
    assert watch.hung()


def test_a_line_on_the_console_is_progress() -> None:
    machine = Machine()
    watch = machine.watch()
    machine.now_s += STALL_S - 1
    watch.progress()
    machine.now_s += STALL_S - 1
    assert watch.hung() is None
