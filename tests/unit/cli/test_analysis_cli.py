"""The command line as users see it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.cli import main
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite, write

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    return write(tmp_path, builder.build())


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, words)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_table_and_json_say_the_same(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", str(trace)]) == 0
    table = capsys.readouterr().out
    assert main(["metrics", "--json", str(trace)]) == 0
    rows = json.loads(capsys.readouterr().out)
    by_name = {row["metric"]: row for row in rows}
    assert by_name["kswapd_cpu_ms"]["value"] == pytest.approx(10)
    assert by_name["kswapd_cpu_ms"]["trace"] == str(trace)
    assert by_name["pswpout"]["value"] is None
    assert by_name["pswpout"]["reason"]
    assert "v52.0" in by_name["pswpout"]["engine"]
    known, _, rest = table.partition("\nnot known: ")
    lines = {line.split()[0]: line for line in known.splitlines()[1:] if line.startswith("  ")}
    assert lines.keys() == {name for name, row in by_name.items() if row["value"] is not None}
    assert lines["kswapd_cpu_ms"].split()[1:3] == ["10", "ms"]
    unknown = sum(row["value"] is None for row in rows)
    assert rest.startswith(f"{unknown} metrics\n")
    listed = re.split(r",?\s+", " ".join(line for line in rest.splitlines() if line.startswith("    ")))
    whole = sum(int(count) for count in re.findall(r"all (\d+) of", rest))
    assert sum(name in listed for name in by_name if name != "switches") + whole == unknown


def test_only_the_asked_metrics_in_the_asked_order(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["metrics", "--metric", "window_s", str(trace), "--metric", "kswapd_cpu_ms", "--json"]
    assert main(words) == 0
    assert [row["metric"] for row in json.loads(capsys.readouterr().out)] == ["window_s", "kswapd_cpu_ms"]


def test_an_unknown_metric_names_the_nearest(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", str(trace), "--metric", "kswap_cpu"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "did you mean kswapd_cpu_ms?" in captured.err


def test_good_traces_are_printed_beside_bad_ones(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = write(tmp_path, trace.read_bytes()[:-5], "cut")
    words = ["metrics", "--json", "--metric", "window_s", str(cut), str(trace), str(tmp_path / "absent")]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert [row["trace"] for row in json.loads(captured.out)] == [str(trace)]
    assert len(captured.err.splitlines()) == 2
    assert "not whole" in captured.err


def test_a_lossy_trace_prints_with_its_reasons(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = write(tmp_path, trace.read_bytes()[:-5], "cut")
    assert main(["metrics", str(cut), "--lossy", "--json", "--metric", "kswapd_cpu_ms"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["value"] == pytest.approx(10)
    assert "truncated" in row["reason"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["metrics"],
        ["metrics", "--no-such-option"],
        ["metrics", "/nonexistent/trace"],
        ["metrics", "--engine", "/nonexistent/engine", "/nonexistent/trace"],
        ["report"],
        ["report", "/nonexistent/results"],
        ["open"],
        ["open", "/nonexistent/results"],
        ["open", "findings/zram-level"],
        ["open", "findings/zram-level", "--port", "99999"],
        ["open", "findings/zram-level", "--port", "9001"],
        ["open", "docs/findings.md"],
        ["open", "findings/zram-level", "--slowest", "moment"],
        ["notebook"],
        ["notebook", "/nonexistent/results"],
        ["reference", "nonsense"],
    ],
)
def test_bad_input_is_one_line_and_status_2(words: list[str]) -> None:
    done = _run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_every_metric_is_listed_with_its_definition(capsys: pytest.CaptureFixture[str]) -> None:
    from analysis.metrics import all_metrics

    assert main(["metrics", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(all_metrics())


def test_a_reader_that_leaves_early_is_no_error(trace: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis", "metrics", *[str(trace)] * 30],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(60) == 141


def test_ctrl_c_is_clean(trace: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis", "metrics", *[str(trace)] * 5000],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "interrupted"


def test_a_name_that_is_no_text_can_be_printed(trace: Path) -> None:
    odd = trace.with_name("tr\udcfface")
    trace.rename(odd)
    done = _run("metrics", "--metric", "window_s", os.fsencode(odd).decode("utf-8", "surrogateescape"))
    assert done.returncode == 0
    assert "\\udcff" in done.stdout
