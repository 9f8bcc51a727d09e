"""The check of CPU times: what a hand-over between threads explains, and what only lost time does."""

from __future__ import annotations

import pytest

from foundation.contract.cpu_time import HANDOVER_NS, SWITCH_NS, Measured, OnCpu, contradictions

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
