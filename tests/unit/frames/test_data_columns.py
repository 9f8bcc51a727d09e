"""Documented columns match the files and the frames, and the snippets of the page run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from analysis import frames
from analysis.frames import columns
from analysis.frames.reference import data_reference
from analysis.judging import columns as files
from analysis.judging.columns import Columns
from analysis.judging.judgement import Judgement
from analysis.judging.pipeline import judge
from analysis.judging.records import verdict_record
from analysis.report.block_values import pair_figures
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite, write

_ROOT = Path(__file__).parents[3]
_DOCS = _ROOT / "docs"
_PUBLISHED = sorted(path for path in (_ROOT / "findings").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def judgement(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    copy = tmp_path_factory.mktemp("data") / "zram-level"
    shutil.copytree(_ROOT / "findings" / "zram-level", copy)
    return judge(copy)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = of_suite()
    builder.thread(60, "kcompressd:0")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.kswapd_awake(50, 1300 * MS, 1320 * MS)
    builder.direct_reclaim(70, 1315 * MS, 1330 * MS)
    builder.direct_reclaim(70, 1500 * MS, None)
    builder.offer(50, 1301 * MS, 1)
    builder.done(60, 1312 * MS, wait=10 * MS, compress=1 * MS)
    builder.switch("com.example.app", 1300 * MS, 1400 * MS, index=3, launch_state="HOT")
    builder.counter("vmstat.pswpout", 1200 * MS, 7)
    builder.capture()
    return write(tmp_path_factory.mktemp("trace"), builder.build())


def test_the_page_is_made_from_the_columns() -> None:
    assert (_DOCS / "data.md").read_text(encoding="utf-8") == data_reference()


@pytest.mark.parametrize("campaign", _PUBLISHED, ids=lambda path: path.name)
def test_documented_columns_are_those_of_the_files(campaign: Path, tmp_path: Path) -> None:
    judged = Path(shutil.copytree(campaign, tmp_path / campaign.name))
    judge(judged)
    table = pq.read_table(judged / "metrics.parquet")
    assert table.column_names == list(files.METRICS)
    kinds = {"text": "string", "whole": "int64", "number": "double", "truth": "bool"}
    for name, column in files.METRICS.items():
        expected = kinds.get(column.type.removesuffix("?"), "list<element: string>")
        assert str(table.schema.field(name).type) == expected, name
        assert column.type.endswith("?") or table[name].null_count == 0, name
    rows = json.loads((judged / "verdicts.json").read_text())
    for row in rows:
        assert row.keys() == files.VERDICTS.keys()
        assert row["with_voids"].keys() == files.WITH_VOIDS.keys()
        _check_types(row, files.VERDICTS)
        _check_types(row["with_voids"], files.WITH_VOIDS)


def _check_types(row: dict[str, object], described: Columns) -> None:
    kinds: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "whole": (int,),
        "number": (int, float),
        "truth": (bool,),
        "list of texts": (list,),
        "record": (dict,),
    }
    for name, column in described.items():
        if row[name] is None:
            assert column.type.endswith("?"), name
        else:
            assert isinstance(row[name], kinds[column.type.removesuffix("?")]), name


def _check_frame(frame: pd.DataFrame, described: Columns) -> None:
    assert list(frame.columns) == list(described)
    assert len(frame)
    for name, column in described.items():
        kind = column.type.removesuffix("?")
        if not column.type.endswith("?"):
            assert not frame[name].isna().any(), name
        if kind == "number":
            assert frame[name].dtype == "float64", name
        elif kind == "whole":
            assert pd.api.types.is_integer_dtype(frame[name]), name
        elif kind == "truth":
            assert frame[name].dtype == "bool", name
        elif kind == "time":
            assert pd.api.types.is_datetime64_any_dtype(frame[name]), name


def test_frames_of_a_campaign(judgement: Judgement) -> None:
    figures = frames.repetitions(judgement)
    assert list(figures.columns) == list(files.METRICS)
    _check_frame(frames.blocks(judgement), columns.BLOCKS)
    frame = frames.pairs(judgement)
    _check_frame(frame, columns.PAIRS)
    record = verdict_record(judgement.rows[0])
    assert list(record) == list(files.VERDICTS)
    assert list(record["with_voids"]) == list(files.WITH_VOIDS)
    rows = frames.verdicts(judgement)
    plain = [name for name in files.VERDICTS if name != "with_voids"]
    assert list(rows.columns) == [*plain, *(f"with_voids_{name}" for name in files.WITH_VOIDS)]
    assert len(rows) == len(judgement.rows)
    # The pairs are those that the verdict counted, and give its medians.
    for row in judgement.rows:
        mine = frame[
            (frame["scenario"] == row.scenario)
            & (frame["variant"] == row.variant)
            & (frame["metric"] == row.metric)
        ]
        assert len(mine) == row.situation.planned
        valid = mine[(mine["state"] == "valid") & mine["difference"].notna()]
        assert len(valid) == row.pairs
        if row.compared is not None:
            assert valid["baseline_value"].median() == pytest.approx(row.compared.baseline_median)
    counts = frames.blocks(judgement).set_index("block")["counts"]
    assert counts["002-baseline-idle"] == (not judgement.blocks[2].void_reasons)
    both = frames.together({"one": rows, "two": rows})
    assert list(both.columns[:2]) == ["campaign", "scenario"]
    assert both["campaign"].value_counts().to_dict() == {"one": len(rows), "two": len(rows)}


def test_pairs_are_those_of_the_page(judgement: Judgement) -> None:
    shared = [name for name in columns.PAIRS if name != "reason"]
    for (scenario, variant), metric in zip(judgement.pairs, ("allocstall", "pswpout") * 2, strict=True):
        mine = frames.pairs(judgement, [metric]).query("scenario == @scenario and variant == @variant")
        groups = pair_figures(judgement, "comparison", scenario, variant)
        page = {figure.title: figure.frame for _, figures in groups for figure in figures}
        shown = page[f"{metric} [{judgement.metrics[metric].unit}]"]
        assert mine[shared].reset_index(drop=True).equals(shown[shared].reset_index(drop=True))


def test_frames_of_a_trace(trace: Path) -> None:
    with frames.open_frames(trace) as opened:
        assert opened.window_s == pytest.approx(0.6)
        threads, switches, stalls = opened.threads(), opened.switches(), opened.stalls()
        awake, queue = opened.awake(), opened.queue()
        counters = opened.counters(["vmstat.pswpout", "no'such"])
    _check_frame(threads, columns.THREADS)
    assert threads.set_index("comm")["cpu_ms"].to_dict() == {"kswapd0": 10.0, "kcompressd:0": 0.0}
    _check_frame(switches, columns.SWITCHES)
    assert switches[["start_s", "index", "command_ms"]].iloc[0].tolist() == [pytest.approx(0.1), 3, 100.0]
    assert switches["total_time_ms"].isna().all()
    _check_frame(stalls, columns.STALLS)
    assert stalls["dur_ms"].tolist() == [15.0, pytest.approx(float("nan"), nan_ok=True)]
    _check_frame(awake, columns.AWAKE)
    _check_frame(queue, columns.QUEUE)
    assert queue["in_flight"].tolist() == [1, 1, 0]
    _check_frame(counters, columns.COUNTERS)
    assert counters["value"].tolist() == [7.0]
    values = frames.figures(trace)
    _check_frame(values, columns.FIGURES)
    assert values.set_index("metric")["value"]["kswapd_cpu_ms"] == pytest.approx(10)


def test_an_empty_trace_gives_empty_frames_with_the_same_columns(tmp_path: Path) -> None:
    with frames.open_frames(write(tmp_path, of_suite().build())) as opened:
        for frame, described in (
            (opened.switches(), columns.SWITCHES),
            (opened.stalls(), columns.STALLS),
            (opened.queue(), columns.QUEUE),
            (opened.counters([]), columns.COUNTERS),
        ):
            assert list(frame.columns) == list(described)
            assert frame.empty


def _snippets(language: str) -> list[str]:
    text = (_DOCS / "use-the-data.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_python_snippets_run(trace: Path, tmp_path: Path) -> None:
    snippets = _snippets("python")
    assert len(snippets) == 3
    shutil.copytree(_ROOT / "findings", tmp_path / "findings")
    code = "\n".join([f"TRACE = {str(trace)!r}", *snippets])
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "kswapd_cpu_ms" in done.stdout
    assert "kcompressd:0" in done.stdout


@pytest.mark.parametrize("snippet", _snippets("sql"))
def test_the_duckdb_snippets_run(snippet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.chdir(_ROOT)
    assert len(duckdb.sql(snippet).fetchall()) >= 2


def test_analysis_needs_neither_pytest_nor_adb() -> None:
    code = """
import importlib, pkgutil, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pytest", "_pytest", "adbutils", "android_tests", "workloads",
                                      "playwright", "hypothesis"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Block())
import analysis
names = [one.name for one in pkgutil.walk_packages(analysis.__path__, "analysis.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60
