"""CPU time and waiting of kernel threads, against schedules known by construction."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import TraceError
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, value, write


def test_kswapd_is_cut_at_the_windows_edges(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1100 * MS, 1250 * MS)  # 50 inside
    builder.run(50, 1400 * MS, 1410 * MS, cpu=1)  # 10
    builder.run(50, 1790 * MS, 1900 * MS)  # 10
    builder.capture()
    assert value(write(tmp_path, builder.build()), "kswapd_cpu_ms") == pytest.approx(70)


def test_an_interval_that_spans_the_whole_window_counts_its_length(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1100 * MS, 1900 * MS)
    builder.capture()
    assert value(write(tmp_path, builder.build()), "kswapd_cpu_ms") == pytest.approx(600)


def test_an_interval_that_never_ends_reaches_to_the_windows_end(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1700 * MS, 0)
    builder.capture()
    assert value(write(tmp_path, builder.build()), "kswapd_cpu_ms") == pytest.approx(100)


def test_preempted_kswapd_waits_and_does_not_run(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(60, "kcompressd0")
    builder.run(50, 1300 * MS, 1310 * MS, leaves="R+")
    builder.run(60, 1310 * MS, 1330 * MS)
    builder.run(50, 1330 * MS, 1340 * MS)
    builder.wake(60, 1305 * MS)
    builder.wake(50, 1295 * MS)
    builder.capture()
    path = write(tmp_path, builder.build())
    found = figures(path)
    assert found["kswapd_cpu_ms"].value == pytest.approx(20)
    assert found["compression_cpu_ms"].value == pytest.approx(20)
    # Woken 5 before it ran, then preempted for 20.
    assert found["kswapd_runnable_wait_ms"].value == pytest.approx(25)
    assert found["compression_runnable_wait_ms"].value == pytest.approx(5)


def test_a_woken_thread_waits_until_it_runs(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1250 * MS, 1260 * MS)
    builder.wake(50, 1395 * MS)
    builder.run(50, 1400 * MS, 1410 * MS)
    builder.wake(50, 1795 * MS)
    builder.run(50, 1830 * MS, 1840 * MS)
    builder.capture()
    # 5 before 1400, and 5 until the window ends.
    assert value(write(tmp_path, builder.build()), "kswapd_runnable_wait_ms") == pytest.approx(10)


def test_threads_of_both_nodes_are_summed(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(51, "kswapd1")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(51, 1300 * MS, 1325 * MS, cpu=1)
    builder.capture()
    assert value(write(tmp_path, builder.build()), "kswapd_cpu_ms") == pytest.approx(35)


@pytest.mark.parametrize(
    "comm", ["kcompressd:0", "kcompressd0", "kcompressd:3", "akcompressd:1", "zram_comp"]
)
def test_every_name_of_a_compression_thread_is_known(tmp_path: Path, comm: str) -> None:
    builder = of_suite()
    builder.thread(60, comm)
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(60, 1400 * MS, 1440 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["compression_cpu_ms"].value == pytest.approx(40)
    assert found["kswapd_cpu_ms"].value == pytest.approx(10)


@pytest.mark.parametrize("comm", ["kswapd0", "kswapd0:0", "kswapd1:2"])
def test_every_name_of_kswapd_is_known(tmp_path: Path, comm: str) -> None:
    builder = TraceBuilder()
    builder.thread(50, comm)
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.repetition(1200 * MS, 1800 * MS)
    builder.capture()
    assert value(write(tmp_path, builder.build()), "kswapd_cpu_ms") == pytest.approx(10)


@pytest.mark.parametrize("comm", ["hybridswapd:0", "hybridswapd0", "zswapd0", "kshrinkd0", "mi_reclaim"])
def test_vendor_threads_count_in_the_sum(tmp_path: Path, comm: str) -> None:
    builder = of_suite()
    builder.thread(61, comm)
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(61, 1400 * MS, 1430 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["vendor_reclaim_cpu_ms"].value == pytest.approx(30)
    assert found["reclaim_cpu_ms"].value == pytest.approx(40)


def test_a_kworker_or_a_compactor_has_no_role(tmp_path: Path) -> None:
    builder = of_suite()
    for tid, comm in ((61, "kworker/0:1"), (62, "kcompactd0"), (63, "kswapdX"), (64, "mykcompressd0")):
        builder.thread(tid, comm)
        builder.run(tid, (1300 + 10 * tid) * MS, (1305 + 10 * tid) * MS, cpu=1)
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.end = 3000 * MS
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["reclaim_cpu_ms"].value == pytest.approx(10)


def test_kswapd_that_never_ran_is_zero_and_a_fact(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(70, 1300 * MS, 1400 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["kswapd_cpu_ms"].value == 0
    assert found["kswapd_cpu_ms"].reason is None


def test_no_thread_of_role_reclaim_is_an_error_that_names_the_threads(tmp_path: Path) -> None:
    builder = TraceBuilder()
    builder.thread(50, "kmemreclaimd")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.repetition(1200 * MS, 1800 * MS)
    builder.capture()
    path = write(tmp_path, builder.build())
    with pytest.raises(TraceError, match=r"no thread has the role reclaim.*kmemreclaimd"):
        figures(path)
    # A figure that needs no such thread is still given.
    assert value(path, "window_s") == pytest.approx(0.6)


def test_no_compression_thread_is_zero_where_the_capture_looked_for_it(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["compression_cpu_ms"].value == 0
    assert found["compression_runnable_wait_ms"].value == 0
    assert found["reclaim_cpu_ms"].value == pytest.approx(10)


def test_no_compression_thread_is_unknown_in_a_trace_without_the_kernels_threads(tmp_path: Path) -> None:
    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    builder.thread(62, "kworker/u4:1")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(62, 1310 * MS, 1311 * MS)
    found = figures(write(tmp_path, builder.build(process_tree=False)))
    assert found["kswapd_cpu_ms"].value == pytest.approx(10)
    assert found["compression_cpu_ms"].value is None
    assert "kworker/u4:1" in str(found["compression_cpu_ms"].reason)
    assert found["reclaim_cpu_ms"].value is None
    # A process tree that lists the kernel's threads shows that there is none.
    found = figures(write(tmp_path, builder.build()))
    assert found["compression_cpu_ms"].value == 0
    assert "none of the 2 kernel threads" in str(found["compression_cpu_ms"].reason)


def test_a_thread_that_the_capture_saw_and_the_trace_lacks_is_unknown(tmp_path: Path) -> None:
    from foundation.contract import conventions

    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture(**{conventions.CAPTURE_THREADS: "50:kswapd0 60:kcompressd0"})
    found = figures(write(tmp_path, builder.build()))
    assert found["compression_cpu_ms"].value is None
    assert "kcompressd0" in str(found["compression_cpu_ms"].reason)


def test_kswapd_is_awake_from_its_first_wake_to_the_next_sleep(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1100 * MS, 1101 * MS)
    builder.kswapd_awake(50, None, 1250 * MS)  # awake since before the recording: 50
    builder.kswapd_awake(50, 1300 * MS, None)
    builder.kswapd_awake(50, 1320 * MS, 1340 * MS)  # a second round: 40
    builder.kswapd_awake(50, 1790 * MS, 1850 * MS)  # 10
    builder.capture()
    assert value(write(tmp_path, builder.build()), "kswapd_awake_ms") == pytest.approx(100)


def test_cost_of_a_page_is_the_sum_of_all_threads(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(60, "kcompressd0")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(60, 1310 * MS, 1330 * MS)
    builder.run(70, 1300 * MS, 1350 * MS, cpu=1)
    builder.direct_reclaim(70, 1320 * MS, 1325 * MS, cpu=1)
    builder.counter("vmstat.pswpout", 1200 * MS, 1000)
    builder.counter("vmstat.pswpout", 1800 * MS, 1700)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["reclaim_cpu_ms"].value == pytest.approx(35)
    assert found["reclaim_cpu_us_per_page"].value == pytest.approx(50)
    assert found["reclaim_cpu_us_per_page"].reason is None


@pytest.mark.parametrize(
    ("freed", "said"), [(680, None), (420, "40% of the pages swapped out were freed by")]
)
def test_pages_that_others_swapped_out_are_pointed_out(
    tmp_path: Path, freed: int, said: str | None
) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    grown = {"pswpout": 700, "pgsteal_kswapd": 900, "pgsteal_direct": 0, "pgsteal_anon": freed}
    for key, pages in grown.items():
        builder.counter(f"vmstat.{key}", 1200 * MS, 1000)
        builder.counter(f"vmstat.{key}", 1800 * MS, 1000 + pages)
    builder.capture()
    reason = figures(write(tmp_path, builder.build()), "reclaim_cpu_us_per_page")[
        "reclaim_cpu_us_per_page"
    ].reason
    assert (said or "") in str(reason)
    assert said or "freed" not in str(reason)


def test_pages_swapped_out_while_nobody_known_ran_are_pointed_out(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(62, "kworker/u4:1")
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.run(62, 1500 * MS, 1600 * MS)
    for ts, pages in ((1200, 0), (1400, 100), (1480, 100), (1650, 900), (1800, 900)):
        builder.counter("vmstat.pswpout", ts * MS, pages)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert "800 of 900 pages" in str(found["reclaim_cpu_ms"].reason)
    assert found["reclaim_cpu_ms"].value == pytest.approx(10)


def test_without_swap_out_a_pages_cost_is_unknown(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.counter("vmstat.pswpout", 1200 * MS, 7)
    builder.counter("vmstat.pswpout", 1800 * MS, 7)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "reclaim_cpu_us_per_page")
    assert found["reclaim_cpu_us_per_page"].value is None
    assert "no page" in str(found["reclaim_cpu_us_per_page"].reason)
