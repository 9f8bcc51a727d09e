"""Single latencies and the course of a repetition: from events to files and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import frames
from analysis.distributions import (
    Detail,
    Distribution,
    Series,
    detail_of,
)
from analysis.distributions.distributions import stepped
from analysis.distributions.timelines import in_steps, step_s
from analysis.judging import columns
from analysis.judging import detail_tables as tables
from analysis.judging.judgement import Judgement
from analysis.judging.pairing import RepetitionFigures
from analysis.judging.pipeline import judge
from analysis.trace.framing import read_facts
from analysis.trace.recording import Recording, Window
from analysis.trace_processor import open_trace
from foundation.contract import conventions
from foundation.errors import ResultsError
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import of_suite, write
from tests.unit.results_folder import ResultsFolder

FREE = conventions.meminfo_kb("MemFree")
STALLED = conventions.psi_total_us("memory", "some")
_SPANS = st.lists(st.tuples(st.integers(-100, 1100), st.integers(0, 500)), max_size=30)


def detail(tmp_path: Path, builder: TraceBuilder, **facts: str) -> Detail:
    builder.capture(**facts)
    path = write(tmp_path, builder.build())
    with open_trace(path) as session:
        return detail_of(Recording(session, read_facts(path)))


def series(found: Detail, name: str) -> Series:
    return next(one for one in found.series if one.name == name)


def distribution(found: Detail, name: str) -> Distribution:
    return next(one for one in found.distributions if one.name == name)


def full(builder: TraceBuilder) -> TraceBuilder:
    """Window 1.2 s to 1.8 s."""
    builder.thread(60, "kcompressd:0")
    builder.run(50, 1300 * MS, 1400 * MS)
    builder.run(60, 1395 * MS, 1500 * MS, cpu=1)
    builder.direct_reclaim(70, 1190 * MS, 1210 * MS)
    builder.direct_reclaim(70, 1405 * MS, 1430 * MS)
    builder.direct_reclaim(70, 1795 * MS, 1850 * MS)
    builder.direct_reclaim(60, 1396 * MS, 1399 * MS)
    builder.done(60, 1412 * MS, wait=10 * MS, compress=2 * MS)
    builder.switch("com.example.app", 1300 * MS, 1400 * MS, launch_state="HOT", total_time_ms=80.0)
    builder.switch("com.example.app", 1500 * MS, 1600 * MS, launch_state="COLD", total_time_ms=95.5)
    builder.switch("com.example.app", 1100 * MS, 1150 * MS, launch_state="HOT", total_time_ms=1.0)
    for ms, free_kb, stalled_us in ((1200, 4096, 1000), (1201, 4096, 1900), (1500, 2048, 31000)):
        builder.counter(FREE, ms * MS, free_kb)
        builder.counter(STALLED, ms * MS, stalled_us)
    builder.counter(FREE, 1800 * MS, 1024)
    return builder


def test_latencies_are_those_that_begin_in_the_window(tmp_path: Path) -> None:
    found = detail(tmp_path, full(of_suite()))
    reclaim = distribution(found, "direct_reclaim_ms")
    assert reclaim.values.tolist() == [25.0, 55.0]
    assert reclaim.counts.tolist() == [1, 1]
    assert distribution(found, "switch_latency_hot_ms").values.tolist() == [80.0]
    assert distribution(found, "switch_latency_cold_ms").values.tolist() == [95.5]
    warm = distribution(found, "switch_latency_warm_ms")
    assert (warm.values.tolist(), warm.reason) == ([], None)


def test_courses_add_up_to_the_events(tmp_path: Path) -> None:
    found = detail(tmp_path, full(of_suite()))
    length = 0.6
    for name, expected in (
        ("kswapd_cpu_share", 100 * 0.1),
        ("compression_cpu_share", 100 * 0.105),
        # Cut at both ends of the window; the compression thread's own is not among them.
        ("direct_reclaim_tasks", 0.010 + 0.025 + 0.005),
        ("queue_pages", 0.012),
    ):
        one = series(found, name)
        steps = np.diff([*one.times_s, length])
        assert float((one.values * steps).sum()) == pytest.approx(expected, rel=1e-3), name
        assert one.reason is None
    free = series(found, "free_memory_mb")
    assert (free.times_s.tolist(), free.values.tolist()) == ([0, 0.001, 0.3, 0.6], [4, 4, 2, 1])


def test_a_rate_is_not_taken_over_next_to_no_time(tmp_path: Path) -> None:
    pressure = series(detail(tmp_path, full(of_suite())), "psi_memory_some_share")
    assert pressure.times_s.tolist() == [0, 0.3, 0.6]
    # 30 ms of 300, then nothing; the last value holds to the end.
    assert pressure.values.tolist() == [10, 0, 0]


def test_what_was_not_recorded_has_a_reason(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    found = detail(tmp_path, builder, events="sched/sched_switch")
    assert "does not record" in str(distribution(found, "direct_reclaim_ms").reason)
    assert "no app switches" in str(distribution(found, "switch_latency_hot_ms").reason)
    for one in found.series:
        assert (len(one.values) > 0) == (one.name == "kswapd_cpu_share") == (one.reason is None)


def test_a_counter_that_stood_still_is_known(tmp_path: Path) -> None:
    builder = full(of_suite())
    builder.counter(conventions.extra("/sys/queued"), 1100 * MS, 7)
    builder.counter(FREE, 1100 * MS, 4096)
    assert series(detail(tmp_path, builder), "free_memory_mb").values.tolist() == [4, 4, 2, 1]


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=3000))
def test_kept_events_have_exact_shares(values: list[float]) -> None:
    found = stepped("x", "ms", values)
    assert len(found.values) <= 500
    assert int(found.counts.sum()) == len(values)
    assert (found.counts > 0).all()
    ordered = np.sort(values)
    reached = np.cumsum(found.counts)
    assert found.values == pytest.approx(ordered[reached - 1], rel=1e-4)
    assert found.values[-1] == pytest.approx(max(values), rel=1e-4)


@given(_SPANS)
def test_steps_hold_all_the_time_that_lies_in_the_window(spans: list[tuple[int, int]]) -> None:
    window = Window(0, 1000 * MS, of_suite=True)
    begin = np.array([start * MS for start, _ in spans], dtype=np.int64)
    end = np.array([(start + length) * MS for start, length in spans], dtype=np.int64)
    times, means = in_steps(begin, end, window)
    assert len(times) == 200
    inside = sum(max(0, min(start + length, 1000) - max(start, 0)) for start, length in spans)
    steps_ms = np.diff([*(times * 1e3), 1000])
    assert float((means * steps_ms).sum()) == pytest.approx(inside, abs=1e-6)
    assert (means >= -1e-9).all()


@given(st.floats(1e-3, 1e6))
def test_steps_are_few_and_round(seconds: float) -> None:
    assert seconds / step_s(seconds) <= 400 * (1 + 1e-9)


def real_folder(root: Path, build: Callable[[], TraceBuilder] = lambda: full(of_suite())) -> ResultsFolder:
    folder = ResultsFolder(root, pairs=2, metrics=("kswapd_cpu_ms",), primaries=("kswapd_cpu_ms",))
    for block in folder.blocks:
        folder.block(block, [{}])
        builder = build()
        # Each trace has a hash of its own.
        builder.run(50, (1600 + block.index) * MS, 1650 * MS)
        builder.capture()
        folder.trace(block, 0, builder.build())
    return folder


def repetitions(judgement: Judgement) -> list[RepetitionFigures]:
    return [one for block in judgement.blocks.values() for one in block.repetitions]


def test_files_have_the_documented_columns_and_come_back_the_same(tmp_path: Path) -> None:
    root = real_folder(tmp_path / "r").root
    judgement = judge(root)
    for file, described, frame in (
        ("distributions.parquet", columns.DISTRIBUTIONS, frames.distributions(judgement)),
        ("timelines.parquet", columns.TIMELINES, frames.timelines(judgement)),
    ):
        table = pq.read_table(root / file)
        assert table.column_names == list(described)
        kinds = {"text": "string", "whole": "int64", "number": "double", "truth": "bool"}
        for name, column in described.items():
            assert str(table.schema.field(name).type) == kinds[column.type.removesuffix("?")], name
            assert column.type.endswith("?") or table[name].null_count == 0, name
        assert len(frame) == len(table)
        assert frame["block"].nunique() == 4
    before = {one.repetition.trace.sha256: one.measured.detail for one in repetitions(judgement)}
    read = tables.read(root)
    assert read.keys() == before.keys()
    for digest, found in before.items():
        assert found is not None
        for name in ("distributions", "series"):
            for first, second in zip(getattr(found, name), getattr(read[digest], name), strict=True):
                assert (first.name, first.unit, first.reason) == (second.name, second.unit, second.reason)
                assert first.values.tolist() == second.values.tolist()


def test_details_outlive_their_traces_and_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    root = real_folder(tmp_path / "r").root
    names = ("distributions.parquet", "timelines.parquet")
    judge(root)
    written = [(root / name).read_bytes() for name in names]
    for trace in root.rglob("*.perfetto-trace"):
        trace.unlink()
    judge(root)
    assert [(root / name).read_bytes() for name in names] == written


@pytest.mark.parametrize("damage", ["gone", "cut", "another layout"])
def test_a_folder_without_these_files_is_judged_all_the_same(tmp_path: Path, damage: str) -> None:
    root = real_folder(tmp_path / "r").root
    judge(root)
    file = root / "timelines.parquet"
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        pd.DataFrame({"x": [1]}).to_parquet(file)
    judgement = judge(root)
    assert len(judgement.rows) == 1
    if damage != "gone":
        with pytest.raises(ResultsError, match=r"timelines\.parquet") as caught:
            frames.timelines(judgement)
        assert "judge the folder again with its traces" in str(caught.value.next_step)
