"""What makes a cycle of app switching void, and what a trace adds to it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from workloads.launches import LaunchState
from workloads.memory_eater import EaterCycle
from workloads.switches import CycleResult, Switch, trace_doubts

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


def test_a_cycle_without_a_switch_or_with_many_doubtful_ones_is_void() -> None:
    assert cycle().void_reasons() == ["the workload made no switch"]
    doubtful = replace(HOT, launch_state="UNKNOWN", doubt="it has no process")
    few = cycle(*[HOT] * 10, doubtful)
    assert (few.void_reasons(), few.facts()["unknown_switches"]) == ([], 1)
    assert cycle(*[HOT] * 9, doubtful).void_reasons() == [
        "1 of 10 switches could not be classified, first: suite.chat: it has no process"
    ]


@pytest.mark.parametrize(
    ("state", "born_ns", "void", "unseen"),
    [
        ("COLD", 1_200_000_000, False, 0),
        ("COLD", 992_000_000, False, 0),
        ("COLD", 500_000_000, False, 1),
        ("COLD", None, False, 1),
        ("HOT", 1_200_000_000, True, 0),
        ("WARM", 1_999_000_000, True, 0),
        ("HOT", 500_000_000, False, 0),
        ("HOT", None, False, 0),
    ],
)
def test_the_trace_against_am(state: LaunchState, born_ns: int | None, void: bool, unseen: int) -> None:
    started = replace(
        HOT,
        launch_state=state,
        pid_after=77,
        t_begin_boot_ns=1_000_000_000,
        t_end_boot_ns=2_000_000_000,
    )
    births = {1: 1} | ({} if born_ns is None else {77: born_ns})
    reasons, count = trace_doubts([started], births)
    assert (bool(reasons), count) == (void, unseen)
    assert trace_doubts([started], {}) == ([], 0), "a trace without births says nothing"


def test_a_trace_adds_doubts_to_a_cycle() -> None:
    seen = cycle(HOT, COLD).with_trace({7: 1})
    assert seen.facts()["cold_starts_unseen"] == 1
    assert seen.void_reasons() == [
        "switch 0 to suite.chat: am reported HOT, but the trace shows its process being created"
    ]
    last = json.loads(seen.to_json_lines().splitlines()[-1])
    assert not {"switches", "contradictions", "cold_starts_unseen"} & set(last)


def test_a_trace_that_tells_nothing_changes_nothing() -> None:
    assert cycle(HOT, COLD).with_trace({}) == cycle(HOT, COLD)
    assert "cold_starts_unseen" not in cycle(HOT).facts()
    eater = EaterCycle((), 0, kills=0)
    assert eater.with_trace({1: 1}) is eater
