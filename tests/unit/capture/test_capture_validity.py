"""What makes a repetition void: each rule fires on its own fact, and on nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from foundation.contract.losses import FTRACE
from harness.capture.ftrace.ftrace_stats import (
    CpuStats,
    parse_stats,
    stats_from_json,
    stats_to_json,
)
from harness.capture.samples import Mark, Number, Sample
from harness.capture.validity import counter_reasons, ftrace_loss, throttle_reasons

S = 1_000_000_000
WHOLE = CpuStats(0, 500, 0, 0, 9000, 1.0, 2.0, 0, 0)
EMPTY = CpuStats(0, 0, 0, 0, 0, 0.0, 0.0, 0, 0)

STATS_TEXT = """\
entries: 129
overrun: 7
commit overrun: 1
bytes: 5832
oldest event ts:  2752.301561
now ts:  2755.123456
dropped events: 3
read events: 12
"""


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


def test_stats_of_the_kernel() -> None:
    stats = parse_stats(3, STATS_TEXT)
    assert stats == CpuStats(3, 129, 7, 1, 5832, 2752.301561, 2755.123456, 3, 12)
    assert stats_from_json(stats_to_json([stats])) == [stats]


def test_a_whole_recording_has_no_loss() -> None:
    assert ftrace_loss([EMPTY], [WHOLE], {0: 500}, {}) == ()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"overrun": 9}, "9 ftrace events overwritten before they were read on CPU 0 (overrun)"),
        ({"commit_overrun": 2}, "2 ftrace events lost to nesting on CPU 0 (commit_overrun)"),
        ({"dropped_events": 1}, "1 ftrace events dropped on CPU 0 (dropped_events)"),
        ({"entries": 501}, "the trace of CPU 0 has 500 of 501 events"),
    ],
)
def test_each_counter_of_the_kernel_is_a_loss(change: dict[str, int], text: str) -> None:
    end = dataclasses.replace(WHOLE, **change)
    (loss,) = ftrace_loss([EMPTY], [end], {0: 500}, {})
    assert text in loss.text
    assert set(loss.data) == FTRACE


def test_loss_before_the_recording_is_not_counted() -> None:
    before = dataclasses.replace(EMPTY, overrun=9)
    assert ftrace_loss([before], [dataclasses.replace(WHOLE, overrun=9)], {0: 500}, {}) == ()


@pytest.mark.parametrize(("count", "text"), [(12, "(12)"), (None, "(unknown number)")])
def test_marked_pages_are_a_loss(count: int | None, text: str) -> None:
    (loss,) = ftrace_loss([EMPTY], [WHOLE], {0: 500}, {0: count})
    assert loss.text.endswith(text)


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


@pytest.mark.parametrize(
    ("limits", "throttled"), [((1824, 1824), False), ((1824, 1500), True), ((1500, 1824), True)]
)
def test_a_changed_upper_limit_is_throttling(limits: tuple[int, int], throttled: bool) -> None:
    name = "extra./sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq"
    edges = [Sample(t, t, "begin", {name: 1824, "extra./x": t}, {}, ()) for t in (1, 9)]
    between = [Sample(5, 5, "sample", {name: limit}, {}, ()) for limit in limits]
    reasons = throttle_reasons(edges[0], between, edges[1])
    assert bool(reasons) == throttled
    if throttled:
        assert reasons == ("policy4 was throttled: at times limited to 1500 of 1824 kHz",)
