"""What makes a repetition void: each rule fires on its own fact, and on nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.capture.samples import Mark, Number, Sample
from harness.capture.validity import counter_reasons, cpu_cooling, limit_changes

S = 1_000_000_000


def sample(
    mark: Mark,
    t_s: float,
    swapped: int,
    threads: Mapping[int, str] | None = None,
    more: Mapping[str, Number] | None = None,
) -> Sample:
    start = int(t_s * S)
    names = {42: "kswapd0"} if threads is None else threads
    return Sample(start, start + S // 100, mark, {"vmstat.pswpout": swapped, **(more or {})}, names, ())


BEGIN = sample("begin", 10, 100)
BETWEEN = [sample("sample", 10 + step, 100 + step) for step in range(1, 10)]
END = sample("end", 20, 900)


def test_a_good_repetition_has_no_reason() -> None:
    assert counter_reasons(BEGIN, BETWEEN, END, 250) == ()


def test_a_thread_that_died() -> None:
    threads = {42: "kswapd0", 43: "kcompressd:0"}
    begin, end = sample("begin", 10, 100, threads), sample("end", 20, 900)
    (reason,) = counter_reasons(begin, BETWEEN, end, 250)
    assert reason == "thread kcompressd:0 (compression, tid 43) disappeared"


def test_a_thread_that_was_restarted_both_disappeared_and_appeared() -> None:
    begin = sample("begin", 10, 100, {43: "kcompressd:0"})
    end = sample("end", 20, 900, {99: "kcompressd:0"})
    gone, came = counter_reasons(begin, BETWEEN, end, 250)
    assert "tid 43) disappeared" in gone
    assert "tid 99) appeared" in came


def test_no_swap_no_reclaim() -> None:
    (reason,) = counter_reasons(BEGIN, BETWEEN, sample("end", 20, 100), 250)
    assert "no page was swapped out" in reason


def test_a_counter_that_fell() -> None:
    begin = sample("begin", 10, 100, more={"schedstat.kswapd0-42.run_ns": 50})
    end = sample("end", 20, 900, more={"schedstat.kswapd0-42.run_ns": 49})
    (reason,) = counter_reasons(begin, BETWEEN, end, 250)
    assert reason == "counter schedstat.kswapd0-42.run_ns fell from 50 to 49"


def test_a_gauge_may_fall() -> None:
    begin = sample("begin", 10, 100, more={"vmstat.nr_free_pages": 50})
    end = sample("end", 20, 900, more={"vmstat.nr_free_pages": 49})
    assert counter_reasons(begin, BETWEEN, end, 250) == ()


@pytest.mark.parametrize(("period_ms", "void"), [(250, True), (1000, False)])
def test_a_gap_is_judged_by_the_period(period_ms: int, void: bool) -> None:
    reasons = counter_reasons(BEGIN, BETWEEN[:2], END, period_ms)
    assert bool(reasons) == void
    assert not void or "no counters for 8.0 s" in reasons[0]


def test_marks_in_the_wrong_order() -> None:
    (reason,) = counter_reasons(END, [], BEGIN, 250)
    assert "before the begin sample" in reason


POLICY = "extra./sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq"
COOLER = "extra./sys/class/thermal/cooling_device3/cur_state"


@pytest.mark.parametrize(
    ("limits", "changed"), [((1824, 1824), False), ((1824, 1500), True), ((1500, 1824), True)]
)
def test_a_changed_upper_limit_is_told(limits: tuple[int, int], changed: bool) -> None:
    edges = [Sample(t, t, "begin", {POLICY: 1824, "extra./x": t}, {}, ()) for t in (1, 9)]
    between = [Sample(5, 5, "sample", {POLICY: limit}, {}, ()) for limit in limits]
    words = {"policy4": "at times limited to 1500 of 1824 kHz"} if changed else {}
    assert limit_changes(edges[0], between, edges[1]) == words


def test_cooling_is_the_highest_state_of_any_sample() -> None:
    edges = [Sample(t, t, "begin", {COOLER: 0, POLICY: 1824}, {}, ()) for t in (1, 9)]
    between = [Sample(5, 5, "sample", {COOLER: state}, {}, ()) for state in (0, 2, 1)]
    assert cpu_cooling(edges[0], between, edges[1]) == 2
    assert cpu_cooling(edges[0], [], edges[1]) == 0
    assert cpu_cooling(*(Sample(1, 1, "begin", {POLICY: 1}, {}, ()), [], edges[1])) is None
