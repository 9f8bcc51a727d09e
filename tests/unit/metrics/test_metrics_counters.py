"""vmstat, PSI, zram and app switches: from the suite's tracks and from Perfetto's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, write

BEGIN, END = 1200 * MS, 1800 * MS


def test_a_difference_is_from_the_windows_begin_to_its_end(tmp_path: Path) -> None:
    builder = of_suite()
    for ts, pages in ((1100, 5), (1200, 10), (1500, 40), (1800, 90), (1900, 1000)):
        builder.counter("vmstat.pgscan_kswapd", ts * MS, pages)
    builder.capture()
    assert figures(write(tmp_path, builder.build()), "pgscan_kswapd")["pgscan_kswapd"].value == 80


def test_an_unchanged_counter_is_zero(tmp_path: Path) -> None:
    builder = of_suite()
    builder.counter("vmstat.pgrotated", BEGIN, 12)
    builder.counter("vmstat.pgrotated", END, 12)
    builder.capture()
    assert figures(write(tmp_path, builder.build()), "pgrotated")["pgrotated"].value == 0


def test_an_absent_counter_is_unknown_and_not_zero(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    for name in ("pswpout", "allocstall", "psi_memory_some_ms", "zram_compression_ratio", "kills"):
        assert found[name].value is None
        assert found[name].reason


def test_a_counter_that_fell_is_unknown(tmp_path: Path) -> None:
    builder = of_suite()
    builder.counter("vmstat.pswpin", BEGIN, 500)
    builder.counter("vmstat.pswpin", END, 20)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "pswpin")["pswpin"]
    assert found.value is None
    assert "fell from 500 to 20" in str(found.reason)


def test_allocstall_is_the_sum_of_the_zones_that_exist(tmp_path: Path) -> None:
    builder = of_suite()
    for zone, first, last in (("dma32", 1, 3), ("normal", 10, 50), ("movable", 0, 7)):
        builder.counter(f"vmstat.allocstall_{zone}", BEGIN, first)
        builder.counter(f"vmstat.allocstall_{zone}", END, last)
    builder.capture()
    assert figures(write(tmp_path, builder.build()), "allocstall")["allocstall"].value == 49


def test_rates_and_ratios(tmp_path: Path) -> None:
    builder = of_suite()
    for key, last in (
        ("pgsteal_anon", 300),
        ("pgsteal_kswapd", 400),
        ("pgsteal_direct", 100),
        ("pgscan_kswapd", 900),
        ("pgscan_direct", 100),
        ("nr_vmscan_write", 350),
        ("pswpout", 300),
    ):
        builder.counter(f"vmstat.{key}", BEGIN, 0)
        builder.counter(f"vmstat.{key}", END, last)
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    found = figures(write(tmp_path, builder.build()))
    assert found["window_s"].value == pytest.approx(0.6)
    assert found["pgsteal_anon_per_s"].value == pytest.approx(500)
    assert found["reclaim_efficiency"].value == pytest.approx(0.5)
    assert found["compression_queue_estimate_pages"].value == 50


def test_psi_is_in_ms(tmp_path: Path) -> None:
    builder = of_suite()
    for line, last in (("memory.some", 52_500), ("memory.full", 1_000), ("cpu.some", 9_000)):
        builder.counter(f"psi.{line}_total_us", BEGIN, 2_000 if line == "memory.some" else 0)
        builder.counter(f"psi.{line}_total_us", END, last)
    builder.capture()
    names = ("psi_memory_some_ms", "psi_memory_full_ms", "psi_cpu_some_ms")
    found = figures(write(tmp_path, builder.build()), *names)
    assert [found[name].value for name in names] == pytest.approx([50.5, 1.0, 9.0])


@pytest.mark.parametrize("page_size", [4096, 16384])
def test_zram_is_read_at_the_windows_end_with_the_devices_page_size(tmp_path: Path, page_size: int) -> None:
    builder = of_suite()
    for disk, stored, compressed, same in (("zram0", 1000, 200, 100), ("zram1", 200, 100, 20)):
        for field, pages in (("orig_data_size", stored), ("compr_data_size", compressed)):
            builder.counter(f"{disk}.mm_stat.{field}", BEGIN, 1)
            builder.counter(f"{disk}.mm_stat.{field}", END, pages * page_size)
        builder.counter(f"{disk}.mm_stat.same_pages", BEGIN, 0)
        builder.counter(f"{disk}.mm_stat.same_pages", END, same)
    builder.capture()
    found = figures(
        write(tmp_path, builder.build(page_size=page_size)),
        "zram_compression_ratio",
        "zram_same_filled_share",
    )
    assert found["zram_compression_ratio"].value == pytest.approx(4)
    assert found["zram_same_filled_share"].value == pytest.approx(0.1)


def test_an_empty_zram_has_no_ratio(tmp_path: Path) -> None:
    builder = of_suite()
    for field in ("orig_data_size", "compr_data_size", "same_pages"):
        builder.counter(f"zram0.mm_stat.{field}", BEGIN, 0)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "zram_compression_ratio", "zram_same_filled_share")
    assert all(one.value is None and one.reason for one in found.values())


def test_perfettos_own_counters_serve_a_trace_of_another_recorder(tmp_path: Path) -> None:
    builder = TraceBuilder()
    builder.sys_stats(
        1100 * MS,
        {"pswpout": 10, "allocstall_normal": 1, "allocstall_movable": 2, "pgsteal_anon": 100},
        {"memory_some": 1_000_000, "memory_full": 0, "cpu_some": 3_000_000},
    )
    builder.sys_stats(
        1600 * MS,
        {"pswpout": 25, "allocstall_normal": 4, "allocstall_movable": 2, "pgsteal_anon": 200},
        {"memory_some": 5_000_000, "memory_full": 2_000_000, "cpu_some": 3_500_000},
    )
    found = figures(write(tmp_path, builder.build()))
    assert found["pswpout"].value == 15
    assert found["allocstall"].value == 3
    assert found["pgsteal_anon_per_s"].value == pytest.approx(200)
    assert found["psi_memory_some_ms"].value == pytest.approx(4)
    assert found["psi_memory_full_ms"].value == pytest.approx(2)
    assert found["psi_cpu_some_ms"].value == pytest.approx(0.5)
    assert found["kswapd_cpu_ms"].value is None
    assert "sched_switch" in str(found["kswapd_cpu_ms"].reason)


def test_the_suites_counters_win_over_perfettos(tmp_path: Path) -> None:
    builder = of_suite()
    builder.sys_stats(1150 * MS, {"pswpout": 1})
    builder.sys_stats(1850 * MS, {"pswpout": 5000})
    builder.counter("vmstat.pswpout", BEGIN, 100)
    builder.counter("vmstat.pswpout", END, 160)
    builder.capture()
    assert figures(write(tmp_path, builder.build()), "pswpout")["pswpout"].value == 60


def test_switches_by_launch_class(tmp_path: Path) -> None:
    builder = of_suite()
    builder.switch("com.early", 1100 * MS, 1150 * MS, launch_state="HOT", total_time_ms=999.0, index=0)
    for index, (state, time_ms, killed) in enumerate(
        (
            ("HOT", 30.0, False),
            ("HOT", 50.0, False),
            ("WARM", 200.0, False),
            ("COLD", 900.0, True),
            ("COLD", 700.0, False),
        )
    ):
        begin = (1250 + 50 * index) * MS
        builder.switch(
            f"com.app{index}",
            begin,
            begin + 40 * MS,
            launch_state=state,
            total_time_ms=time_ms,
            killed_since_last=killed,
            index=index + 1,
        )
    builder.capture()
    found = figures(
        write(tmp_path, builder.build()),
        "switch_latency_hot_p50_ms",
        "switch_latency_warm_p50_ms",
        "switch_latency_warm_max_ms",
        "switch_latency_cold_max_ms",
        "switch_latency_cold_p95_ms",
        "kills",
        "cold_relaunches",
        "switches",
    )
    assert found["switch_latency_hot_p50_ms"].value == pytest.approx(40)
    assert found["switch_latency_warm_p50_ms"].value is None
    assert found["switch_latency_warm_max_ms"].value == pytest.approx(200)
    assert found["switch_latency_cold_max_ms"].value == pytest.approx(900)
    assert found["switch_latency_cold_p95_ms"].value is None
    assert found["kills"].value == 1
    assert found["cold_relaunches"].value == 2
    assert found["switches"].value == 5


def test_a_switch_of_unknown_state_leaves_what_is_not_told_by_class(tmp_path: Path) -> None:
    builder = of_suite()
    builder.switch("com.a", 1300 * MS, 1310 * MS, launch_state="HOT", total_time_ms=8, index=0)
    builder.switch("com.b", 1400 * MS, 1410 * MS, launch_state="UNKNOWN", killed_since_last=True, index=1)
    builder.capture()
    found = figures(
        write(tmp_path, builder.build()),
        "switch_latency_hot_max_ms",
        "cold_relaunches",
        "kills",
        "switches",
    )
    for name in ("switch_latency_hot_max_ms", "cold_relaunches"):
        assert found[name].value is None
        assert found[name].reason == "1 of 2 switches have an unknown launch state"
    assert (found["kills"].value, found["switches"].value) == (1, 2)


def test_a_switch_without_a_time_is_pointed_out(tmp_path: Path) -> None:
    builder = of_suite()
    builder.switch("com.a", 1300 * MS, 1310 * MS, launch_state="HOT", index=0)
    builder.switch("com.b", 1400 * MS, 1410 * MS, launch_state="HOT", total_time_ms=8, index=1)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "switch_latency_hot_max_ms")
    assert found["switch_latency_hot_max_ms"].value == 8
    assert "1 hot switches have no time" in str(found["switch_latency_hot_max_ms"].reason)


def test_what_the_suite_may_not_read_perfetto_fills_in(tmp_path: Path) -> None:
    """On a user build: with a caution, since its polls are not at the window's edges."""
    builder = of_suite()
    builder.counter("vmstat.pswpin", BEGIN, 5)
    builder.counter("vmstat.pswpin", END, 9)
    for ts, pages in ((1150, 100), (1250, 300), (1750, 700), (1850, 9000)):
        builder.sys_stats(ts * MS, vmstat={"PSWPIN": pages, "PSWPOUT": pages})
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "pswpin", "pswpout")
    assert (found["pswpin"].value, found["pswpin"].reason) == (4, None)
    assert found["pswpout"].value == 600
    assert "not at the window's edges" in str(found["pswpout"].reason)


@pytest.mark.parametrize(
    ("kswapd", "direct", "anon", "swapped", "share"),
    [
        # kswapd freed what was written, and clean pages of the swap cache besides.
        (900, 200, 1050, 1000, 0.0),
        # App compaction wrote 400 of 1000 pages: MADV_PAGEOUT counts no steal.
        (600, 0, 600, 1000, 0.4),
        # A memory cgroup's reclaim counts as anonymous, but neither as kswapd's nor as direct.
        (500, 100, 1000, 1000, 0.4),
    ],
)
def test_pages_that_were_swapped_out_by_others(
    tmp_path: Path, kswapd: int, direct: int, anon: int, swapped: int, share: float
) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    keys = {"pgsteal_kswapd": kswapd, "pgsteal_direct": direct, "pgsteal_anon": anon, "pswpout": swapped}
    for key, grown in keys.items():
        builder.counter(f"vmstat.{key}", BEGIN, 70)
        builder.counter(f"vmstat.{key}", END, 70 + grown)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "swap_out_elsewhere_share")
    assert found["swap_out_elsewhere_share"].value == pytest.approx(share)


def test_nothing_swapped_out_has_no_share(tmp_path: Path) -> None:
    builder = of_suite()
    for key in ("pgsteal_kswapd", "pgsteal_direct", "pgsteal_anon", "pswpout"):
        builder.counter(f"vmstat.{key}", BEGIN, 70)
        builder.counter(f"vmstat.{key}", END, 70)
    builder.capture()
    found = figures(write(tmp_path, builder.build()), "swap_out_elsewhere_share")
    assert found["swap_out_elsewhere_share"].value is None
