"""CPU time by switches against the scheduler's own account."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.trace.recording import Recording
from analysis.trace.schedstat import disagreements
from analysis.trace_processor import open_trace
from foundation.contract.cpu_time import EDGE_NS, OnCpu
from harness.capture.perfetto.perfetto_loss import judge_perfetto
from harness.capture.run_times import RunTime, RunTimes, run_time_reasons
from harness.capture.samples import Mark, Sample
from tests.unit.golden.builder import TraceBuilder
from tests.unit.golden.reading import write

MS = 1_000_000
WINDOW = 1200 * MS, 1800 * MS


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.sampled_from([0, 42, 43])), min_size=1, max_size=60),
    st.integers(0, 5000),
    st.integers(0, 5000),
)
def test_equal_to_counting_each_instant(steps: list[tuple[int, int]], begin: int, length: int) -> None:
    window = begin, begin + length
    times = RunTimes((42, 43), window)
    # Who ran before the first switch is not known.
    owner: dict[int, int] = {}
    now, current, first = 0, -1, steps[0][0]
    for delta, following in steps:
        owner.update(dict.fromkeys(range(now, now + delta), current))
        now += delta
        times.switch(0, now, following)
        current = following
    owner.update(dict.fromkeys(range(now, max(now, window[1])), current))
    inside = [owner[t] for t in range(*window)]
    found = times.result(max(now, window[1]))
    if first >= window[1]:
        assert found is None
        return
    assert found is not None
    assert {tid: time.inside.ns for tid, time in found.items()} == {
        42: inside.count(42),
        43: inside.count(43),
    }


def test_a_trace_without_switches_in_the_window_is_not_judged() -> None:
    times = RunTimes((42,), (0, 100))
    assert times.result(200) is None
    times.switch(0, 100, 42)
    assert times.result(200) is None
    assert run_time_reasons(None, sample("begin", 0), sample("end", 9)) == []


def sample(mark: Mark, run_ms: float) -> Sample:
    value = {"schedstat.kswapd0-42.run_ns": int(run_ms * MS)}
    return Sample(0, 5 * MS, mark, value, {42: "kswapd0", 50: "kcompressd:0"}, ())


@pytest.mark.parametrize(
    ("trace_ms", "around_ms", "schedstat_ms", "fits"),
    [
        (1000, 1000, 1000, True),
        (1000, 1000, 1019, True),
        (1000, 1000, 1023, False),
        (1000, 1060, 1079, True),
        (1000, 1060, 1090, False),
        (0, 0, 19, True),
        (0, 0, 22, False),
        (1019, 1019, 1000, True),
        (1022, 1022, 1000, False),
        (3000, 3000, 3059, True),
        (3000, 3000, 3065, False),
    ],
)
def test_disagreement_beyond_the_tolerance_is_a_reason(
    trace_ms: int, around_ms: int, schedstat_ms: int, fits: bool
) -> None:
    run_times = {42: RunTime(OnCpu(trace_ms * MS, 1), around_ms * MS), 50: RunTime()}
    reasons = run_time_reasons(run_times, sample("begin", 100), sample("end", 100 + schedstat_ms))
    assert (reasons == []) == fits
    assert fits or reasons[0].startswith(
        f"kswapd0 ran {schedstat_ms}.0 ms by schedstat but {trace_ms}.0 ms"
    )


def test_each_slice_adds_to_what_is_let_pass() -> None:
    begin, end = sample("begin", 100), sample("end", 100 + 284)
    for slices, fits in ((50, False), (22_800, True)):
        run_times = {42: RunTime(OnCpu(227 * MS, slices), 227 * MS)}
        assert (run_time_reasons(run_times, begin, end) == []) == fits


def test_interrupts_on_its_cpu_void_no_repetition() -> None:
    """CONFIG_IRQ_TIME_ACCOUNTING: the trace has their time, schedstat has not."""
    run_times = {42: RunTime(OnCpu(1_300 * MS, 1), 1_300 * MS)}
    begin, end = sample("begin", 100), sample("end", 1_100)
    assert len(run_time_reasons(run_times, begin, end)) == 1
    for ticks, fits in ((28, True), (10, False)):
        counted = [
            replace(one, values={**one.values, "stat.irq_ticks": n, "stat.softirq_ticks": 0})
            for one, n in ((begin, 3), (end, 3 + ticks))
        ]
        assert (run_time_reasons(run_times, *counted) == []) == fits


#: Intervals of kswapd0 on one of two CPUs: (CPU, gap before it in ms, length in ms).
_Runs = list[tuple[int, int, int]]


@settings(max_examples=40)
@given(
    runs=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 300), st.integers(1, 300)), max_size=8),
    schedstat_ms=st.integers(0, 700),
    near_ms=st.none() | st.integers(-30, 30),
    compact=st.booleans(),
    open_end=st.booleans(),
    irq_ticks=st.integers(0, 30),
)
@example(runs=[(0, 250, 100)], schedstat_ms=104, near_ms=None, compact=False, open_end=False, irq_ticks=0)
@example(runs=[(0, 150, 150)], schedstat_ms=150, near_ms=None, compact=False, open_end=False, irq_ticks=0)
@example(
    runs=[(0, 0, 300), (0, 0, 300)],
    schedstat_ms=400,
    near_ms=None,
    compact=True,
    open_end=True,
    irq_ticks=9,
)
def test_capture_and_analysis_refuse_the_same_repetitions(
    runs: _Runs, schedstat_ms: int, near_ms: int | None, compact: bool, open_end: bool, irq_ticks: int
) -> None:
    """Both sides read the same bytes of a trace; the analysis through the trace processor."""
    begin_ns, end_ns = WINDOW
    builder = TraceBuilder()
    builder.thread(42, "kswapd0")
    now = {0: builder.begin, 1: builder.begin}
    inside_ns = 0
    for number, (cpu, gap_ms, length_ms) in enumerate(runs):
        at = now[cpu] + gap_ms * MS
        until = min(at + length_ms * MS, builder.end)
        if at >= builder.end:
            continue
        last = open_end and all(other != cpu for other, _, _ in runs[number + 1 :])
        builder.run(42, at, 0 if last else until, cpu)
        now[cpu] = builder.end if last else until
        inside_ns += max(min(now[cpu], end_ns) - max(at, begin_ns), 0)
    schedstat_ns = schedstat_ms * MS if near_ms is None else max(inside_ns + near_ms * MS, 0)
    counter = "schedstat.kswapd0-42.run_ns"
    builder.counter(counter, begin_ns, 10**9)
    builder.counter(counter, end_ns, 10**9 + schedstat_ns)
    for at, ticks in ((begin_ns, 5), (end_ns, 5 + irq_ticks)):
        builder.counter("stat.irq_ticks", at, ticks)
        builder.counter("stat.softirq_ticks", at, 7)
    builder.repetition(begin_ns, end_ns)
    builder.capture()
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), builder.build(compact=compact))
        with open_trace(path) as session:
            judged = disagreements(Recording(session))
        run_times = RunTimes((42,), WINDOW)
        judge_perfetto(path, run_times)
    values = [
        Sample(
            t,
            t,
            "sample",
            {counter: v, "stat.irq_ticks": ticks, "stat.softirq_ticks": 7},
            {42: "kswapd0"},
            (),
        )
        for t, v, ticks in ((begin_ns, 10**9, 5), (end_ns, 10**9 + schedstat_ns, 5 + irq_ticks))
    ]
    assert run_time_reasons(run_times.result(builder.end), *values) == judged
    assert EDGE_NS == 100 * MS
