"""A loss voids the metrics that it concerns, in its repetition, block and pair, and no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.judging import metric_table
from analysis.judging.metric_table import told_apart
from analysis.judging.pipeline import judge
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import of_suite
from tests.unit.results_folder import ResultsFolder

LOST = "7 ftrace events overwritten before they were read (ftrace_cpu_overrun_delta)"


def model(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
    wobble = 1.0 + 0.01 * (pair % 3)
    patched = variant == "patched"
    return {
        "kswapd_cpu_ms": 3000.0 * wobble * (0.67 if patched else 1.0),
        "reclaim_cpu_us_per_page": 70.0 * wobble,
        "allocstall": 50.0 * wobble * (2.0 if patched else 1.0),
        "compression_cpu_ms": 1100.0 if patched else 0.0,
        "pswpout": 44000.0,
    }


def lose(folder: ResultsFolder, *places: tuple[int, int], metric: str = "kswapd_cpu_ms") -> None:
    """Losses of one metric in repetitions (block, repetition)."""
    folder.rows = [
        (key, valid, replace(one, lost={metric: (LOST,)}) if (key.index, key.rep) in places else one)
        for key, valid, one in folder.rows
    ]


def test_a_pair_is_void_for_the_metric_that_lost_its_data_alone(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    lose(folder, (3, 0))
    judged = judge(folder.save())
    lossy, whole = (judged.row("idle", name, "patched") for name in ("kswapd_cpu_ms", "allocstall"))
    assert (lossy.pairs, lossy.situation.void, lossy.situation.missing) == (7, 1, 0)
    assert (whole.pairs, whole.situation.void, whole.cautions) == (8, 0, ())
    assert (lossy.verdict, whole.verdict) == ("IMPROVED", "REGRESSED")
    assert lossy.cautions == (f"the trace lost data that it needs: {LOST}",)
    # As if no rule existed.
    assert lossy.with_voids is not None
    assert lossy.with_voids.effect.pairs == 8
    (void,) = judged.voids
    assert (void.kind, void.reasons) == ("part", (LOST,))
    assert void.what == f"{folder.blocks[3].folder()}/rep-0 for kswapd_cpu_ms"


def test_more_than_a_fifth_void_for_a_metric_decides_nothing_of_it(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    lose(folder, (0, 0), (4, 0))
    judged = judge(folder.save())
    row = judged.row("idle", "kswapd_cpu_ms", "patched")
    assert (row.verdict, row.decision.reason) == ("UNDECIDED", "2 of 8 pairs are void, more than 20%")
    assert judged.row("idle", "allocstall", "patched").verdict == "REGRESSED"


def test_another_repetition_of_the_block_stands_for_it(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", reps=2).fill(model)
    lose(folder, (3, 0))
    row = judge(folder.save()).row("idle", "kswapd_cpu_ms", "patched")
    assert (row.pairs, row.situation.void) == (8, 0)
    lose(folder, (3, 0), (3, 1))
    row = judge(folder.save()).row("idle", "kswapd_cpu_ms", "patched")
    assert (row.pairs, row.situation.void) == (7, 1)


def test_what_all_metrics_lost_is_lost_whole(tmp_path: Path) -> None:
    shared, single = told_apart({"a": ("x", "y"), "b": ("y",)}, ("a", "b"))
    assert (shared, single) == (("y",), {"a": ("x",)})
    assert told_apart({"a": ("x",)}, ("a", "b")) == ((), {"a": ("x",)})
    assert told_apart({}, ()) == ((), {})


def _lossy() -> bytes:
    builder: TraceBuilder = of_suite()
    builder.run(50, 1300 * MS, 1400 * MS)
    for key, value in (("pswpout", 9), ("allocstall_normal", 4)):
        builder.counter(f"vmstat.{key}", 1200 * MS, 0)
        builder.counter(f"vmstat.{key}", 1800 * MS, value)
    builder.capture()
    return builder.build(overrun=7)


def test_a_lossy_trace_gives_the_same_verdicts_when_its_figures_are_kept(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    folder.save()
    folder.trace(folder.blocks[2], 0, _lossy())
    first = judge(folder.root)
    texts = [(folder.root / name).read_bytes() for name in ("verdicts.json", "judgement.json")]
    (kept,) = [one for one in metric_table.read(folder.root / "metrics.parquet").values() if one.lost]
    assert kept.trace_reasons == ()
    assert sorted(kept.lost) == ["compression_cpu_ms", "kswapd_cpu_ms", "reclaim_cpu_us_per_page"]
    assert kept.figures["kswapd_cpu_ms"].value == pytest.approx(100)
    assert first.row("idle", "allocstall", "patched").situation.void == 0
    assert first.row("idle", "kswapd_cpu_ms", "patched").situation.void == 1
    judge(folder.root)
    assert [(folder.root / name).read_bytes() for name in ("verdicts.json", "judgement.json")] == texts
    assert LOST in json.loads(texts[1])["voids"][0]["reasons"]
