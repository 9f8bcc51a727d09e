"""Queue and scheduling of the compression thread, against histories known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.compression_queue import longest_stall
from analysis.trace.recording import Window
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, write

US = 1000


def with_thread(comm: str = "kcompressd:0") -> TraceBuilder:
    builder = of_suite()
    builder.thread(60, comm)
    builder.run(50, 1300 * MS, 1310 * MS)
    return builder


def values(folder: Path, builder: TraceBuilder) -> dict[str, float | None]:
    builder.capture()
    return {name: figure.value for name, figure in figures(write(folder, builder.build())).items()}


def test_waits_depth_and_fallbacks(tmp_path: Path) -> None:
    builder = with_thread()
    for number, (wait_us, depth, accepted) in enumerate(
        ((10, 1, True), (20, 2, True), (30, 3, True), (0, 3, False), (60, 1, True))
    ):
        ts = (1300 + number) * MS
        builder.offer(50, ts, depth, accepted=accepted)
        if accepted:
            builder.done(60, ts + (wait_us + 5) * US, wait_us * US, 5 * US)
    found = values(tmp_path, builder)
    assert found["queue_pages"] == 4
    assert found["queue_wait_p50_us"] == pytest.approx(25)
    assert found["queue_wait_p99_us"] is None, "4 pages have no 99th percentile"
    assert found["queue_wait_max_us"] == pytest.approx(60)
    assert found["queue_compress_us_per_page"] == pytest.approx(5)
    assert found["queue_depth_max_pages"] == 3
    assert found["queue_fallback_share"] == pytest.approx(0.2)
    # 15 + 25 + 35 + 65 us of presence in 600 ms.
    assert found["queue_inflight_mean_pages"] == pytest.approx(140 / 600_000)
    assert found["queue_inflight_max_kb"] == 4


def test_pages_of_before_and_after_the_window_count_while_they_are_inside(tmp_path: Path) -> None:
    builder = with_thread()
    builder.done(60, 1201 * MS, 5 * MS, 1 * MS)  # in flight since 1195: 1 ms inside
    builder.done(60, 1805 * MS, 8 * MS, 2 * MS)  # since 1795: 5 ms inside, done outside
    found = values(tmp_path, builder)
    assert found["queue_pages"] == 1
    assert found["queue_inflight_mean_pages"] == pytest.approx(6 / 600)
    assert found["queue_stall_max_ms"] == pytest.approx(5)


def test_several_pages_in_flight_are_memory_held(tmp_path: Path) -> None:
    builder = with_thread()
    for number in range(3):
        builder.done(60, (1310 + number) * MS, (10 + number) * MS - 1 * MS, 1 * MS)
    found = values(tmp_path, builder)
    # Offered at 1300 each, done at 1310, 1311, 1312.
    assert found["queue_inflight_max_kb"] == 12
    assert found["queue_stall_max_ms"] == pytest.approx(10)


def test_a_stall_begins_where_work_is_waiting_not_where_the_thread_slept(tmp_path: Path) -> None:
    builder = with_thread()
    builder.done(60, 1300 * MS, 1 * MS, 1 * MS)
    builder.done(60, 1700 * MS, 3 * MS, 1 * MS)  # nothing waited from 1300 to 1696
    assert values(tmp_path, builder)["queue_stall_max_ms"] == pytest.approx(4)


def test_kinds_of_pages(tmp_path: Path) -> None:
    builder = with_thread()
    builder.done(60, 1300 * MS, 10 * US, 4 * US, same_filled=1)
    builder.done(60, 1301 * MS, 20 * US, 6 * US, same_filled=1)
    builder.done(60, 1302 * MS, 20 * US, 90 * US, mapped_meanwhile=1)
    builder.done(60, 1303 * MS, 20 * US, 90 * US, mapped_meanwhile=1, mapped_at_start=1)
    builder.done(60, 1304 * MS, 20 * US, 90 * US, error=-5)
    found = values(tmp_path, builder)
    assert found["queue_same_filled_share"] == pytest.approx(0.4)
    assert found["queue_same_filled_trip_us"] == pytest.approx(20)
    assert found["queue_refaulted_pages"] == 2
    assert found["queue_refaulted_waiting_pages"] == 1
    assert found["queue_write_errors"] == 1


def test_a_kernel_without_the_tracepoints_has_no_queue_figures(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture(missing_events="zram_kcompressd/kcompressd_queue zram_kcompressd/kcompressd_done")
    found = figures(write(tmp_path, builder.build()))
    queue = {name: figure for name, figure in found.items() if name.startswith("queue_")}
    assert len(queue) == 15
    for figure in queue.values():
        assert figure.value is None
        assert "kcompressd_queue" in str(figure.reason)
    assert found["compression_wakeups"].value == 0
    assert found["kswapd_preempted_by_compression"].value == 0
    assert found["compression_wake_to_run_p50_us"].value is None


def test_a_queue_that_was_not_traced_is_unknown_not_empty(tmp_path: Path) -> None:
    builder = with_thread()
    builder.wake(60, 1400 * MS, cpu=1, by=50)
    builder.run(60, 1401 * MS, 1402 * MS, cpu=1)
    builder.capture(events="sched/sched_switch sched/sched_waking")
    found = figures(write(tmp_path, builder.build()))
    assert found["queue_pages"].value is None
    assert found["queue_stall_max_ms"].value is None
    assert found["compression_wakeups"].value == 1
    assert found["compression_wakeups_per_page"].value is None, "pages are not known either"


def test_a_thread_that_was_switched_off_has_an_empty_queue(tmp_path: Path) -> None:
    builder = with_thread()
    found = values(tmp_path, builder)
    assert found["queue_pages"] == 0
    assert found["queue_stall_max_ms"] == 0
    assert found["queue_inflight_max_kb"] == 0
    assert found["queue_fallback_share"] is None


def test_wake_ups_and_their_latency(tmp_path: Path) -> None:
    builder = with_thread()
    for number in range(4):
        at = (1400 + 10 * number) * MS
        builder.wake(60, at, cpu=1, by=50)
        builder.run(60, at + (number + 1) * MS, at + (number + 2) * MS, cpu=1)
        builder.done(60, at + (number + 2) * MS, number * MS, 1 * MS)
        builder.done(60, at + (number + 2) * MS, number * MS, 1 * MS)
    found = values(tmp_path, builder)
    assert found["compression_wakeups"] == 4
    assert found["compression_wakeups_per_page"] == pytest.approx(0.5)
    assert found["compression_wake_to_run_p50_us"] == pytest.approx(2500)
    assert found["compression_wake_to_run_max_us"] == pytest.approx(4000)
    assert found["kswapd_preempted_by_compression"] == 0


def test_wake_ups_per_page_without_a_queue_take_what_was_swapped_out(tmp_path: Path) -> None:
    builder = with_thread("kcompressd0")
    builder.wake(60, 1400 * MS, cpu=1, by=50)
    builder.run(60, 1401 * MS, 1402 * MS, cpu=1)
    builder.counter("vmstat.pswpout", 1200 * MS, 10)
    builder.counter("vmstat.pswpout", 1800 * MS, 14)
    builder.capture(missing_events="zram_kcompressd/kcompressd_queue zram_kcompressd/kcompressd_done")
    found = figures(write(tmp_path, builder.build()))
    assert found["compression_wakeups_per_page"].value == pytest.approx(0.25)


def test_kswapd_pushed_off_its_cpu(tmp_path: Path) -> None:
    builder = with_thread()
    builder.thread(70, "burner", tgid=70)
    # Still runnable, and the compression thread is next on this CPU: 20 until it runs again.
    builder.run(50, 1400 * MS, 1410 * MS, leaves="R+")
    builder.run(60, 1410 * MS, 1430 * MS)
    builder.run(50, 1430 * MS, 1440 * MS)
    # Asleep, so nobody was pushed.
    builder.run(60, 1440 * MS, 1450 * MS)
    # Pushed by another thread.
    builder.run(50, 1500 * MS, 1510 * MS, leaves="R+")
    builder.run(70, 1510 * MS, 1515 * MS)
    builder.run(50, 1515 * MS, 1520 * MS)
    found = values(tmp_path, builder)
    assert found["kswapd_preempted_by_compression"] == 1
    assert found["kswapd_preempted_by_compression_ms"] == pytest.approx(20)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 200)), max_size=30),
    st.tuples(st.integers(0, 400), st.integers(500, 1000)),
)
def test_a_stall_is_what_a_walk_through_time_finds(
    pages: list[tuple[int, int]], edges: tuple[int, int]
) -> None:
    """Oracle: step through every tick, count how long work has waited without a completion."""
    window = Window(*edges, of_suite=True)
    offers = [offer for offer, _ in pages]
    ends = [offer + length for offer, length in pages]
    longest = run = 0
    for tick in range(window.begin, window.end):
        if tick in ends:
            run = 0
        if any(offer <= tick < end for offer, end in zip(offers, ends, strict=True)):
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    assert longest_stall(np.array(offers, np.int64), np.array(ends, np.int64), window) == longest
