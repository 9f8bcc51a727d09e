from __future__ import annotations

from dataclasses import replace

from workloads.app_switching import CycleResult, Switch

HOT = Switch(
    index=0,
    round=0,
    package="suite.chat",
    launch_state="HOT",
    expected_state="HOT",
    doubt=None,
    t_begin_boot_ns=1,
    t_end_boot_ns=2,
    total_time_ms=1.0,
    wait_time_ms=1.0,
    pid_before=7,
    pid_after=7,
    killed_since_last=False,
)
COLD = replace(HOT, launch_state="COLD", pid_before=None, pid_after=9, killed_since_last=True)


def cycle(*switches: Switch) -> CycleResult:
    kills = sum(switch.killed_since_last for switch in switches)
    return CycleResult(switches, kills, kills, pages_verified=1, pages_rewritten=1)


def test_kills_are_a_result_as_long_as_something_was_switched_to() -> None:
    assert cycle(HOT, HOT).void_reasons() == []
    assert cycle(HOT, COLD, COLD).void_reasons() == []


def test_a_cycle_of_app_starts_only_is_void() -> None:
    (reason,) = cycle(COLD, COLD).void_reasons()
    assert "all 2 switches found their app killed" in reason


def test_a_cycle_without_a_switch_or_with_a_doubtful_one_is_void() -> None:
    assert cycle().void_reasons() == ["the workload made no switch"]
    doubtful = replace(HOT, launch_state="UNKNOWN", doubt="the app has no process after its start")
    assert cycle(HOT, doubtful).void_reasons() == ["1 switches could not be classified, first: suite.chat"]
