"""Direct reclaim: nested, unfinished, at the edges, and on the compression thread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foundation.contract import conventions
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import figures, of_suite, write


def test_time_and_cpu_are_cut_at_the_edges(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(70, 1100 * MS, 1220 * MS)
    builder.direct_reclaim(70, 1190 * MS, 1210 * MS)  # 10 inside, begun before
    builder.run(70, 1400 * MS, 1410 * MS)
    builder.direct_reclaim(70, 1405 * MS, 1430 * MS)  # 25, on a CPU for 5
    builder.run(70, 1790 * MS, 1900 * MS)
    builder.direct_reclaim(70, 1795 * MS, 1850 * MS)  # 5 inside, 55 long
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["direct_reclaim_wall_ms"].value == pytest.approx(40)
    assert found["direct_reclaim_cpu_ms"].value == pytest.approx(20)
    # Those that begin in the window, with their whole length.
    assert found["direct_reclaim_count"].value == 2
    assert found["direct_reclaim_max_ms"].value == pytest.approx(55)
    assert found["direct_reclaim_p50_ms"].value == pytest.approx(40)


def test_a_nested_reclaim_is_not_counted_twice(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(70, 1300 * MS, 1400 * MS)
    builder.direct_reclaim(70, 1310 * MS, 1340 * MS)
    builder.direct_reclaim(70, 1320 * MS, 1330 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["direct_reclaim_count"].value == 1
    assert found["direct_reclaim_wall_ms"].value == pytest.approx(30)
    assert found["direct_reclaim_cpu_ms"].value == pytest.approx(30)


def test_an_unfinished_reclaim_lasts_to_the_windows_end_and_has_no_length(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(70, 1300 * MS, 1310 * MS)
    builder.direct_reclaim(70, 1305 * MS, 1306 * MS)
    builder.run(70, 1700 * MS, 1750 * MS)
    builder.direct_reclaim(70, 1700 * MS, None)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["direct_reclaim_count"].value == 2
    assert found["direct_reclaim_wall_ms"].value == pytest.approx(101)
    assert found["direct_reclaim_cpu_ms"].value == pytest.approx(51)
    assert found["direct_reclaim_max_ms"].value == pytest.approx(1)
    assert "1 never end" in str(found["direct_reclaim_max_ms"].reason)


def test_the_compression_threads_own_is_told_apart(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(60, "kcompressd:0")
    builder.run(60, 1300 * MS, 1400 * MS)
    builder.direct_reclaim(60, 1320 * MS, 1340 * MS)
    builder.run(70, 1300 * MS, 1400 * MS, cpu=1)
    builder.direct_reclaim(70, 1320 * MS, 1325 * MS, cpu=1)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["direct_reclaim_count"].value == 1
    assert found["direct_reclaim_wall_ms"].value == pytest.approx(5)
    assert found["compression_direct_reclaim_count"].value == 1
    assert found["compression_direct_reclaim_wall_ms"].value == pytest.approx(20)
    # Its CPU time is in compression_cpu_ms, whole and once.
    assert found["direct_reclaim_cpu_ms"].value == pytest.approx(5)
    assert found["reclaim_cpu_ms"].value == pytest.approx(105)


def test_percentiles_are_numpys_linear_ones(tmp_path: Path) -> None:
    builder = of_suite()
    lengths_us = [17 * (index * 7 % 101) + 5 for index in range(120)]
    at = 1300 * MS
    builder.run(70, at - MS, 1790 * MS)
    for length in lengths_us:
        builder.direct_reclaim(70, at, at + length * 1000)
        at += 2 * MS
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    for share, name in ((50, "p50"), (95, "p95"), (99, "p99"), (100, "max")):
        expected = np.percentile([length / 1000 for length in lengths_us], share)
        assert found[f"direct_reclaim_{name}_ms"].value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("count", "known"), [(1, {"max"}), (2, {"max", "p50"}), (20, {"max", "p50", "p95"})]
)
def test_a_percentile_of_too_few_is_unknown(tmp_path: Path, count: int, known: set[str]) -> None:
    builder = of_suite()
    builder.run(70, 1250 * MS, 1790 * MS)
    for index in range(count):
        builder.direct_reclaim(70, (1300 + 2 * index) * MS, (1301 + 2 * index) * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    for name in ("p50", "p95", "p99", "max"):
        assert (found[f"direct_reclaim_{name}_ms"].value is not None) == (name in known)


def test_none_is_zero_where_it_was_recorded_and_unknown_where_it_was_not(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["direct_reclaim_count"].value == 0
    assert found["direct_reclaim_wall_ms"].value == 0
    assert found["direct_reclaim_cpu_ms"].value == 0
    assert found["direct_reclaim_max_ms"].value is None

    lacking = of_suite()
    lacking.run(50, 1300 * MS, 1310 * MS)
    lacking.capture(**{conventions.CAPTURE_MISSING_EVENTS: "vmscan/mm_vmscan_direct_reclaim_begin"})
    found = figures(write(tmp_path, lacking.build(), "lacking"))
    assert found["direct_reclaim_count"].value is None
    assert found["reclaim_cpu_ms"].value is None
    assert found["kswapd_cpu_ms"].value == pytest.approx(10)
