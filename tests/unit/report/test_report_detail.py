"""Latencies and timelines of the page: which events and pair, and the reason for a missing one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.distributions import Detail
from analysis.distributions.distributions import stepped
from analysis.distributions.names import DIRECT_RECLAIM, SERIES
from analysis.distributions.records import Series, no_distribution, no_series
from analysis.judging.judgement import Judgement
from analysis.judging.pipeline import judge
from analysis.report import course, latencies
from analysis.report.course import course_figure
from analysis.report.details import Absent
from analysis.report.latencies import latency_figures
from analysis.report.page import write
from analysis.report.page_figure import PageFigure
from tests.unit.details import detail
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import ResultsFolder


def judged(folder: ResultsFolder) -> Judgement:
    return judge(folder.save())


def folder_of(root: Path, **facts: object) -> ResultsFolder:
    return ResultsFolder(root / "r", detail=detail, **facts).fill(model)  # type: ignore[arg-type]


def test_events_are_those_of_valid_repetitions_of_valid_pairs(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=10, detail=detail).fill(model)
    void = next(block for block in folder.blocks if block.pair == 3 and block.variant == "patched")
    folder.rows = [row for row in folder.rows if row[0].block != void.folder()]
    folder.block(void, [model("idle", "patched", 3, 0)], outcome="void", void_reps={0: ["busy"]})
    events = latencies.latencies(judged(folder), "idle", "patched", DIRECT_RECLAIM)
    # Both halves of a void pair are left out.
    assert sorted(events["pair"].unique()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert events.groupby(["variant", "pair"])["count"].sum().unique().tolist() == [900]


def test_the_cumulative_distribution_is_that_of_all_events() -> None:
    events = pd.DataFrame(
        {
            "variant": ["a", "a", "a", "b"],
            "block": ["0", "0", "1", "2"],
            "value": [2.0, 4.0, 2.0, 8.0],
            "count": [1, 1, 2, 1],
        }
    )
    steps = latencies.cumulative(events)
    whole = steps[steps["block"].isna() & (steps["variant"] == "a")]
    assert whole[["value", "share", "events"]].to_numpy().tolist() == [[2.0, 0.75, 4], [4.0, 1.0, 4]]
    first = steps[steps["block"] == "0"]
    assert first[["value", "share"]].to_numpy().tolist() == [[2.0, 0.5], [4.0, 1.0]]
    assert latencies.quantiles(events) == {"a": (2.0, 4.0, 4.0), "b": (8.0, 8.0, 8.0)}


def test_many_events_keep_their_tail_and_their_shares() -> None:
    values = np.random.default_rng(1).lognormal(1, 1, 5000)
    found = stepped("x", "ms", values.tolist())
    events = pd.DataFrame({"variant": "a", "block": "0", "value": found.values, "count": found.counts})
    steps = latencies.cumulative(events)
    whole = steps[steps["block"].isna()]
    assert len(whole) <= 400
    assert len(steps[steps["block"].notna()]) <= 41
    assert whole["share"].iloc[-1] == 1
    for value, share in whole[["value", "share"]].to_numpy():
        assert share == pytest.approx((values <= value * (1 + 1e-4)).mean(), abs=2e-3)


def test_the_typical_pair_is_nearest_to_the_estimate(tmp_path: Path) -> None:
    changes = [0.5, 0.6, 0.69, 0.8, 0.9, 0.55, 0.85, 0.72]

    def uneven(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
        share = changes[pair] if variant == "patched" else 1.0
        return {**model(scenario, variant, pair, rep), "kswapd_cpu_ms": 1000 * share}

    judgement = judged(ResultsFolder(tmp_path / "r", detail=detail).fill(uneven))
    found = course.typical(judgement, "idle", "patched")
    assert not isinstance(found, str)
    estimate = judgement.row("idle", "kswapd_cpu_ms", "patched").change
    assert estimate is not None
    distances = [abs(math.log(change / estimate.value)) for change in changes]
    assert found.pair.number == int(np.argmin(distances))
    assert f"{(changes[found.pair.number] - 1) * 100:+.1f} %" in found.words
    assert (found.baseline.block.place.variant, found.variant.block.place.variant) == (
        "baseline",
        "patched",
    )


def test_the_figures_of_a_comparison(tmp_path: Path) -> None:
    judgement = judged(folder_of(tmp_path))
    drawn = latency_figures(judgement, "c", "idle", "patched")
    assert [one.title for one in drawn.figures] == [
        "Duration of each direct reclaim [ms]",
        "Hot app switch [ms]",
        "Cold app switch [ms]",
    ]
    assert drawn.absent == (Absent("Warm app switch", "None occurred in any valid repetition."),)
    assert drawn.figures[0].note.startswith("p50 / p95 / p99: baseline 2.")
    course = course_figure(judgement, "c", "idle", "patched")
    assert isinstance(course, PageFigure)
    assert set(course.frame["series"]) == set(SERIES)
    titles = " ".join(str(one.text) for one in course.figure.layout.annotations)
    assert "compression thread on a CPU</b> [% of a CPU]   <i>baseline: no compression thread" in titles
    # All lanes share one time axis.
    assert {trace.xaxis for trace in course.figure.data} == {"x"}
    assert len({trace.yaxis for trace in course.figure.data}) == len(SERIES)


def unrecorded(scenario: str, variant: str, pair: int, rep: int) -> Detail:
    why = "the trace does not record mm_vmscan_direct_reclaim_begin"
    nothing = tuple(no_series(name, unit, "not recorded") for name, unit in SERIES.items())
    return Detail((no_distribution(DIRECT_RECLAIM, "ms", why),), nothing)


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    recorded = judged(ResultsFolder(tmp_path / "a", detail=unrecorded).fill(model))
    absent = latency_figures(recorded, "c", "idle", "patched").absent
    assert absent[0].why == "The trace does not record mm_vmscan_direct_reclaim_begin."
    course = course_figure(recorded, "c", "idle", "patched")
    assert isinstance(course, Absent)
    assert course.why == "None of these quantities was recorded."


def test_a_folder_of_before_says_how_to_get_the_figures(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    drawn = latency_figures(judged(folder), "c", "idle", "patched")
    assert drawn.figures == ()
    (absent,) = drawn.absent
    assert "move metrics.parquet away" in absent.why
    for trace in folder.root.rglob("*.perfetto-trace"):
        trace.unlink()
    (absent,) = latency_figures(judged(folder), "c", "idle", "patched").absent
    assert "neither the traces nor the events" in absent.why
    assert absent.why in write(folder.root).read_text(encoding="utf-8")


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [3.0], [1e-3, 1e5], [500.0, 500.1], [641.0, 702.0]])
def test_axes_fit_any_latencies(values: list[float]) -> None:
    events = pd.DataFrame({"variant": "a", "block": "0", "value": values, "count": 1})
    figure = latencies.cdf(events, "a")
    assert figure is not None
    ticks = figure.layout.xaxis.tickvals
    low, high = (10**edge for edge in figure.layout.xaxis.range)
    assert 1 <= len(ticks) <= 12
    assert all(0 < tick <= high * 1.06 and tick >= low * 0.94 for tick in ticks)


def test_lanes_without_a_value_take_the_place_of_their_title(tmp_path: Path) -> None:
    times = np.array([0.0, 1.0])
    whole = course.timelines(course_of(dict.fromkeys(SERIES, times)), "a")
    part = course.timelines(course_of({"free_memory_mb": times}), "a")
    assert whole is not None
    assert part is not None
    assert part.layout.height < whole.layout.height / 2
    assert part.data[0].mode == "lines+markers"


def course_of(known: Mapping[str, np.ndarray]) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for name, unit in SERIES.items():
        one = Series(name, unit, known.get(name, np.zeros(0)), known.get(name, np.zeros(0)), "not known")
        rows += [("a", "b", 0, name, unit, t, t, None) for t in one.times_s] or [
            ("a", "b", 0, name, unit, math.nan, math.nan, one.reason)
        ]
    columns = ["variant", "block", "rep", "series", "unit", "t_s", "value", "reason"]
    return pd.DataFrame(rows, columns=pd.Index(columns))
