"""The check of CPU times: what a hand-over between threads explains, and what only lost time does."""

from __future__ import annotations

import pytest

from foundation.contract.cpu_time import (
    EDGE_NS,
    HANDOVER_NS,
    SWITCH_NS,
    Measured,
    Moved,
    OnCpu,
    Switch,
    contradictions,
    handed_over_ns,
    irq_ns,
    moved_by,
)

MS = 1_000_000


def measured(comm: str, schedstat_ms: float, trace_ms: float, intervals: int) -> Measured:
    ns = int(trace_ms * MS)
    return Measured(comm, schedstat_ms * MS, OnCpu(ns, intervals), ns)


def test_time_that_only_moved_between_two_threads_is_not_lost() -> None:
    # Measured on a virtual device whose thread is woken for each page.
    kswapd = measured("kswapd0", 759.3, 961.7, 19_986)
    thread = measured("kcompressd:0", 705.1, 500.1, 20_052)
    assert contradictions([kswapd, thread]) == []
    # Either of them alone has nobody to have it from.
    (alone,) = contradictions([kswapd])
    assert alone.startswith("kswapd0 ran 759.3 ms by schedstat but 961.7 ms by the trace's")
    assert len(contradictions([thread])) == 1


def test_more_than_a_hand_over_costs_is_a_contradiction_although_the_sum_agrees() -> None:
    moved_ms = (20 + 1_000 * HANDOVER_NS / MS) * 1.2
    kswapd = measured("kswapd0", 500, 500 + moved_ms, 1_000)
    thread = measured("kcompressd:0", 500 + moved_ms, 500, 1_000)
    assert [line.split()[0] for line in contradictions([kswapd, thread])] == ["kswapd0", "kcompressd:0"]


def test_a_sum_that_lost_time_names_the_thread_that_disagrees() -> None:
    kswapd = measured("kswapd0", 500, 380, 100)
    thread = measured("kcompressd:0", 300, 299, 100)
    assert [line.split()[0] for line in contradictions([kswapd, thread])] == ["kswapd0"]


def test_a_sum_that_lost_time_in_small_parts_names_all() -> None:
    threads = [measured("kswapd0", 5_000, 4_901, 0), measured("kswapd1", 500, 481, 0)]
    assert [contradictions([thread]) for thread in threads] == [[], []]
    assert [line.split()[0] for line in contradictions(threads)] == ["kswapd0", "kswapd1"]


def test_a_thread_that_ran_and_is_not_in_the_trace() -> None:
    assert contradictions([Measured("kswapd0", 19 * MS, None, 0)]) == []
    assert contradictions([Measured("kswapd0", 21 * MS, None, 0)]) == [
        "kswapd0 ran 21.0 ms by schedstat but is not in the trace"
    ]


@pytest.mark.parametrize("intervals", [0, 10, 1_000])
def test_one_thread_may_differ_by_its_ticks_and_its_switches(intervals: int) -> None:
    allowed_ms = 20 + intervals * SWITCH_NS / MS
    assert contradictions([measured("kswapd0", 100, 100 + allowed_ms, intervals)]) == []
    assert contradictions([measured("kswapd0", 100, 101 + allowed_ms, intervals)]) != []


def test_a_virtual_cpu_that_its_host_does_not_run_lags_by_its_last_interval() -> None:
    # 103 ms less by schedstat than by switches, beside other work on the host.
    seen = Measured("kswapd0", 1_454 * MS, OnCpu(1_557 * MS, 100), 1_557 * MS)
    assert len(contradictions([seen])) == 1
    assert contradictions([seen._replace(moved=Moved(late_ns=90 * MS))]) == []
    # At most as much: what is missing beyond it was lost.
    assert len(contradictions([seen._replace(moved=Moved(late_ns=60 * MS))])) == 1


def test_what_moved_to_or_from_others_is_not_lost() -> None:
    outside = Measured("kswapd0", 500 * MS, OnCpu(800 * MS, 10), 800 * MS)
    assert len(contradictions([outside])) == 1
    given_away = Moved(given_ns=300 * MS, given_outside_ns=300 * MS)
    assert contradictions([outside._replace(moved=given_away)]) == []
    # Had it moved to a measured thread, that one would have it.
    assert len(contradictions([outside._replace(moved=Moved(given_ns=300 * MS))])) == 1


def test_a_hand_over_starts_at_the_waking_and_only_if_the_other_ran_then() -> None:
    switch = Switch(before=1, since_ns=100, t_ns=200, after=2)
    assert handed_over_ns(switch, []) == 0
    assert handed_over_ns(switch, [50]) == 0
    assert handed_over_ns(switch, [50, 150, 250]) == 50
    assert handed_over_ns(switch, [120, 200]) == 0
    late = Switch(before=1, since_ns=0, t_ns=3 * EDGE_NS, after=2)
    assert handed_over_ns(late, [1]) == EDGE_NS


def test_a_hand_over_to_the_thread_that_runs_at_the_end_may_be_in_neither_schedstat() -> None:
    # kswapd ran 40 ms on after waking the thread, which runs from 50 ms to the end at 55 without a tick.
    switches = [(Switch(before=1, since_ns=0, t_ns=50 * MS, after=2), 40 * MS)]
    moved = moved_by(switches, {1: 0, 2: 5 * MS}, 55 * MS)
    assert (moved[1].late_gained_ns, moved[2].late_gained_ns) == (0, 40 * MS)
    kswapd = Measured("kswapd0", 10 * MS, OnCpu(50 * MS, 1), 50 * MS, moved[1])
    thread = Measured("kcompressd0", 0, OnCpu(5 * MS, 1), 5 * MS, moved[2])
    assert contradictions([kswapd, thread]) == []
    # Off the CPU by then, it has been charged.
    settled = moved_by([*switches, (Switch(2, 50 * MS, 54 * MS, 3), 0)], {1: 0, 2: 0}, 55 * MS)
    assert settled[2].late_gained_ns == 0
    # And one before the last does not count.
    later = [*switches, (Switch(2, 50 * MS, 52 * MS, 1), 0), (Switch(1, 52 * MS, 53 * MS, 2), MS)]
    assert moved_by(later, {1: 0, 2: 2 * MS}, 55 * MS)[2].late_gained_ns == MS


def test_interrupts_that_schedstat_leaves_out_are_not_lost_and_no_more_than_they() -> None:
    # A kswapd whose CPU takes the interrupts of storage: a tenth of its time is theirs.
    kswapd = measured("kswapd0", 5_000, 5_600, 100)
    assert len(contradictions([kswapd])) == 1
    assert contradictions([kswapd], 600 * MS) == []
    assert len(contradictions([kswapd], 400 * MS)) == 1
    # They explain a schedstat that is too small, never one that is too large.
    assert len(contradictions([measured("kswapd0", 5_600, 5_000, 100)], 600 * MS)) == 1
    # Two threads cannot both have lost all of it.
    thread = measured("kcompressd:0", 5_000, 5_600, 100)
    assert len(contradictions([kswapd, thread], 700 * MS)) == 2


def test_interrupt_time_is_what_proc_stat_counts_to_its_last_tick() -> None:
    assert irq_ns([10, 20], [15, 30]) == 17 * 10 * MS
    assert irq_ns([10, 20], [10, 21]) == 3 * 10 * MS
    # A kernel that counts none, and a sample without.
    assert irq_ns([0, 0], [0, 0]) == 0
    assert irq_ns([10, None], [15, 30]) == 0
