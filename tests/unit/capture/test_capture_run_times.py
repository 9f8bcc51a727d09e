"""CPU time by switches against the scheduler's own account."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture.run_times import RunTimes, run_time_reasons
from harness.capture.samples import Mark, Sample

MS = 1_000_000


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.sampled_from([0, 42, 43])), min_size=1, max_size=60),
    st.integers(0, 5000),
    st.integers(0, 5000),
)
def test_equal_to_counting_each_instant(steps: list[tuple[int, int]], begin: int, length: int) -> None:
    window = begin, begin + length
    times = RunTimes((42, 43), window)
    owner: dict[int, int] = {}
    now, current = 0, 42
    for delta, following in steps:
        owner.update(dict.fromkeys(range(now, now + delta), current))
        now += delta
        times.switch(0, now, current, following)
        current = following
    owner.update(dict.fromkeys(range(now, max(now, window[1])), current))
    inside = [owner[t] for t in range(*window)]
    assert times.result() == {42: inside.count(42), 43: inside.count(43)}


def test_a_trace_without_switches_is_not_judged() -> None:
    assert RunTimes((42,), (0, 100)).result() is None
    assert run_time_reasons(None, sample("begin", 0), sample("end", 9)) == ()


def sample(mark: Mark, run_ms: float) -> Sample:
    value = {"schedstat.kswapd0-42.run_ns": int(run_ms * MS)}
    return Sample(0, 5 * MS, mark, value, {42: "kswapd0", 50: "kcompressd:0"}, ())


@pytest.mark.parametrize(
    ("trace_ms", "told_ms", "fits"),
    [
        (1000, 1000, True),
        (1000, 1079, True),
        (1000, 1090, False),
        (0, 29, True),
        (0, 32, False),
        (1090, 1000, False),
    ],
)
def test_disagreement_beyond_the_tolerance_is_a_reason(trace_ms: int, told_ms: int, fits: bool) -> None:
    run_ns = {42: trace_ms * MS, 50: 7}
    reasons = run_time_reasons(run_ns, sample("begin", 100), sample("end", 100 + told_ms))
    assert (reasons == ()) == fits
    assert fits or "kswapd0 (tid 42) ran" in reasons[0]


def test_each_slice_adds_to_what_is_let_pass() -> None:
    begin, end = sample("begin", 100), sample("end", 100 + 284)
    run_ns = {42: 227 * MS}
    slices = "schedstat.kswapd0-42.slices"
    assert run_time_reasons(run_ns, begin, end)
    begin = dataclasses.replace(begin, values={**begin.values, slices: 50})
    end = dataclasses.replace(end, values={**end.values, slices: 22_850})
    assert run_time_reasons(run_ns, begin, end) == ()
