"""The parts of a reclaim cycle and the two models of its length, against histories made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics import reclaim_probes as probes
from analysis.metrics.reclaim_cycle import METRICS
from analysis.metrics.value import MetricValue
from analysis.trace.calls import paired
from foundation.contract import conventions as names
from foundation.contract.needs import Probe
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, write

KSWAPD: Final = 50
HELPER: Final = 60
US: Final = 1000

PLACED: Final = " ".join(f"{probe.name}={probe.symbols[0]}" for probe in probes.ALL)


def part(builder: TraceBuilder, probe: Probe, begin: float, end: float, **more: Any) -> None:
    """A call by kswapd, times in ms."""
    builder.call(probe.name, KSWAPD, round(begin * MS), round(end * MS), **more)


def batch(builder: TraceBuilder, begin: float, end: float, *, anon: bool) -> None:
    # As the kernel says it: the address of an anon_vma, or of an address_space, with bit 0 as the mark.
    mapping = -0x7F_0000_1000 + (1 if anon else 0)
    part(builder, probes.BATCH, begin, end, argument=("mapping", mapping))


def stored(builder: TraceBuilder, begin: float, end: float) -> None:
    builder.call(probes.STORE.name, HELPER, round(begin * MS), round(end * MS), cpu=1)


def page(builder: TraceBuilder, at: float, store_ms: float | None) -> float:
    """Swap one page out from ``at`` ms: 1 + 2 + 0.5 + (1 + store) + 0.5 ms; the time after it."""
    part(builder, probes.ADD, at, at + 1)
    part(builder, probes.UNMAP, at + 1, at + 3)
    part(builder, probes.FLUSH[0], at + 3, at + 3.5)
    leave = at + 4.5 + (store_ms or 0)
    part(builder, probes.WRITE, at + 3.5, leave)
    if store_ms is not None:
        part(builder, probes.STORE, at + 4, at + 4 + store_ms)
    part(builder, probes.CLEAR, leave, leave + 0.5)
    return leave + 0.5


def cycle(builder: TraceBuilder, at: float, stores: list[float | None], *, run: bool = True) -> None:
    """100 ms: isolating 2, anonymous batch 40, isolating 1, batch of files 10, aging 4 and 3."""
    if run:
        builder.run(KSWAPD, round(at * MS), round((at + 100) * MS))
    part(builder, probes.CYCLE, at, at + 100)
    part(builder, probes.ISOLATE[0], at + 1, at + 3)
    batch(builder, at + 5, at + 45, anon=True)
    then = at + 6
    for store_ms in stores:
        then = page(builder, then, store_ms)
    part(builder, probes.ISOLATE[0], at + 50, at + 51)
    batch(builder, at + 52, at + 62, anon=False)
    part(builder, probes.AGE, at + 70, at + 74, argument=("lru", 1))
    part(builder, probes.ISOLATE[0], at + 71, at + 72)
    part(builder, probes.AGE, at + 80, at + 83, argument=("lru", 3))


def read(folder: Path, builder: TraceBuilder, **facts: Any) -> dict[str, MetricValue]:
    builder.capture(**({names.CAPTURE_PROBES: PLACED, names.CAPTURE_PROBE_COST_NS: 0.0} | facts))
    return figures(write(folder, builder.build()), *(metric.name for metric in METRICS))


def values(folder: Path, builder: TraceBuilder, **facts: Any) -> dict[str, float | None]:
    return {name: figure.value for name, figure in read(folder, builder, **facts).items()}


def test_one_thread_does_it_all(tmp_path: Path) -> None:
    builder = of_suite()
    cycle(builder, 1300, [6, 4])
    found = values(tmp_path, builder)
    assert (found["cycle_count"], found["cycle_pages"]) == (1, 2)
    assert found["cycle_wall_ms"] == pytest.approx(100)
    # 40 of the batch without 10 in zram, 2 of isolating before it, 4 of aging.
    assert found["t1_scan_unmap_ms"] == pytest.approx(36)
    assert found["t2_compress_ms"] == pytest.approx(10)
    assert found["t3_file_ms"] == pytest.approx(10 + 1 + 3)
    assert found["t1_us_per_page"] == pytest.approx(18_000)
    assert found["t2_us_per_page"] == pytest.approx(5_000)
    assert found["t3_us_per_page"] == pytest.approx(7_000)
    assert found["t2_in_kswapd_share"] == 1
    assert found["model_serial_ms"] == pytest.approx(60)
    assert found["model_overlapped_ms"] == pytest.approx(50)
    assert found["model_split_ms"] == pytest.approx(60)
    assert found["model_serial_residual_share"] == pytest.approx(0.4)
    assert found["model_overlapped_residual_share"] == pytest.approx(0.5)
    assert found["cycle_other_cpu_ms"] == pytest.approx(40)
    assert found["cycle_waiting_ms"] == 0
    assert found["probe_cost_share"] == 0


def test_the_steps_add_up_to_t1(tmp_path: Path) -> None:
    builder = of_suite()
    cycle(builder, 1300, [6, 4])
    found = values(tmp_path, builder)
    assert found["step_add_to_swap_us_per_page"] == pytest.approx(1_000)
    assert found["step_unmap_us_per_page"] == pytest.approx(2_000)
    assert found["step_flush_us_per_page"] == pytest.approx(500)
    assert found["step_write_out_us_per_page"] == pytest.approx(1_000 + 5_000), "compressing is in it"
    assert found["step_clear_us_per_page"] == pytest.approx(500)
    assert found["step_scan_us_per_page"] == pytest.approx(18_000 - 1_000 - 2_000 - 500 - 1_000 - 500)


def test_a_thread_of_its_own_and_a_fallback(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(HELPER, "kcompressd:0")
    cycle(builder, 1300, [None, None, 5])
    builder.run(HELPER, 1310 * MS, 1450 * MS, cpu=1)
    stored(builder, 1315, 1375)
    stored(builder, 1390, 1420)  # begins in the cycle, ends after it
    cycle(builder, 1500, [None])
    builder.run(HELPER, 1510 * MS, 1520 * MS, cpu=1)
    stored(builder, 1510, 1513)
    found = values(tmp_path, builder)
    assert found["cycle_count"] == 2
    assert found["cycle_pages"] == 4
    t1, t3 = [40 - 5 + 6, 40 + 6], [14, 14]
    assert found["t1_scan_unmap_ms"] == pytest.approx(sum(t1))
    assert found["t2_compress_ms"] == pytest.approx(5 + 90 + 3)
    assert found["t2_in_kswapd_share"] == pytest.approx(5 / 98)
    assert found["model_serial_ms"] == pytest.approx(sum(t1) + sum(t3) + 98)
    assert found["model_overlapped_ms"] == pytest.approx(max(t1[0] + t3[0], 95) + t1[1] + t3[1])
    assert found["model_split_ms"] == pytest.approx(max(t1[0] + t3[0] + 5, 90) + t1[1] + t3[1])
    assert found["model_serial_residual_share"] == pytest.approx((200 - sum(t1) - sum(t3) - 98) / 200)
    assert found["cycle_other_cpu_ms"] == pytest.approx(200 - sum(t1) - sum(t3) - 5)


def test_two_threads_share_the_compressing(tmp_path: Path) -> None:
    builder = of_suite()
    cycle(builder, 1300, [None])
    for number, (tid, length) in enumerate(((60, 80), (61, 40))):
        builder.thread(tid, f"kcompressd:{number}")
        builder.run(tid, 1300 * MS, 1390 * MS, cpu=1 + number)
        builder.call(probes.STORE.name, tid, 1310 * MS, (1310 + length) * MS, cpu=1 + number)
    builder.cpus = 3
    found = values(tmp_path, builder)
    assert found["t2_compress_ms"] == pytest.approx(120)
    assert found["model_overlapped_ms"] == pytest.approx(max(46 + 14, 120 / 2))
    assert found["model_split_ms"] == pytest.approx(80)


def test_what_kswapd_waits_is_no_part_of_its_work(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(71, "burner", tgid=71)
    cycle(builder, 1300, [6], run=False)
    # Pushed off its CPU for 20 ms, just as it has written the page out.
    builder.run(KSWAPD, 1300 * MS, 1316 * MS + 500 * US, leaves="R+")
    builder.run(71, 1316 * MS + 500 * US, 1336 * MS + 500 * US)
    builder.run(KSWAPD, 1336 * MS + 500 * US, 1400 * MS)
    found = values(tmp_path, builder)
    assert found["cycle_wall_ms"] == pytest.approx(100)
    assert found["cycle_waiting_ms"] == pytest.approx(20)
    assert found["t2_compress_ms"] == pytest.approx(6)
    assert found["t1_scan_unmap_ms"] == pytest.approx(40 - 6 - 20 + 2 + 4)
    assert found["step_clear_us_per_page"] == pytest.approx(0), "the burner ran"


def test_the_cost_of_the_probes_is_taken_off(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(90, "recorder", tgid=90)
    for number in range(5):
        at = 1100 * MS + number * MS
        builder.call(names.PROBE_COST, 90, at, at + 40 * US, cpu=1)
    cycle(builder, 1300, [6, 4])
    found = values(tmp_path, builder, **{names.CAPTURE_PROBE_COST_NS: 100.0 * US})
    each, own = 0.1, 0.04
    # In the cycle: 2 batches, 3 isolations, 2 agings, 6 calls a page.
    in_cycle = own + each * (2 + 3 + 2 + 12)
    assert found["cycle_wall_ms"] == pytest.approx(100 - in_cycle)
    assert found["t2_compress_ms"] == pytest.approx(10 - 2 * own)
    in_batches = own + each * 12
    assert found["t1_scan_unmap_ms"] == pytest.approx(
        40 - in_batches - (10 - 2 * own) + (2 - own) + (4 - own - each)
    )
    assert found["t3_file_ms"] == pytest.approx((10 - own) + (1 - own) + (3 - own))
    assert found["step_write_out_us_per_page"] == pytest.approx(1000 * (6 - own - each))
    assert found["probe_cost_share"] == pytest.approx(in_cycle / 100)


def test_a_cost_that_was_not_measured_is_a_caution(tmp_path: Path) -> None:
    builder = of_suite()
    cycle(builder, 1300, [6])
    figure = read(tmp_path, builder, **{names.CAPTURE_PROBE_COST_NS: ""})["cycle_wall_ms"]
    assert figure.value == pytest.approx(100)
    assert "cost of recording the calls is unknown" in str(figure.reason)


def test_a_batch_is_anonymous_if_a_page_of_it_is_written_to_swap(tmp_path: Path) -> None:
    """Pages of shmem are on the anonymous lists too, and their mapping is a file's."""
    builder = of_suite()
    builder.run(KSWAPD, 1300 * MS, 1400 * MS)
    part(builder, probes.CYCLE, 1300, 1400)
    batch(builder, 1310, 1330, anon=False)
    page(builder, 1312, 6)
    found = values(tmp_path, builder)
    assert found["t1_scan_unmap_ms"] == pytest.approx(14)
    assert found["t3_file_ms"] == 0


def test_cycles_are_cut_at_the_edges_of_window_and_trace(tmp_path: Path) -> None:
    builder = of_suite()
    # One that was under way before the recording, one that outlives the window.
    builder.run(KSWAPD, 1000 * MS, 1250 * MS)
    builder.call(probes.CYCLE.name, KSWAPD, None, 1250 * MS)
    batch(builder, 1100, 1110, anon=True)
    batch(builder, 1210, 1220, anon=True)
    builder.run(KSWAPD, 1700 * MS, 1950 * MS)
    builder.call(probes.CYCLE.name, KSWAPD, 1700 * MS, None)
    batch(builder, 1750, 1755, anon=True)
    batch(builder, 1900, 1940, anon=True)
    found = values(tmp_path, builder)
    assert found["cycle_count"] == 2
    assert found["cycle_wall_ms"] == pytest.approx(50 + 100)
    assert found["t1_scan_unmap_ms"] == pytest.approx(10 + 5)


def test_a_function_that_the_kernel_lacks(tmp_path: Path) -> None:
    builder = of_suite()
    cycle(builder, 1300, [6])
    missing = f"{probes.UNMAP.name}: the kernel has no function try_to_unmap of its own"
    found = read(
        tmp_path,
        builder,
        **{
            names.CAPTURE_PROBES: PLACED.replace("try_to_unmap=try_to_unmap ", ""),
            names.CAPTURE_MISSING_PROBES: missing,
        },
    )
    assert found["step_unmap_us_per_page"].value is None
    assert "has no function try_to_unmap" in str(found["step_unmap_us_per_page"].reason)
    assert found["step_scan_us_per_page"].value is None
    assert found["step_add_to_swap_us_per_page"].value == pytest.approx(1000)
    assert found["t1_scan_unmap_ms"].value == pytest.approx(40)


def test_without_cycles_or_probes_all_is_unknown(tmp_path: Path) -> None:
    builder = of_suite()
    cycle(builder, 1300, [6])
    for figure in read(tmp_path, builder, **{names.CAPTURE_PROBES: ""}).values():
        assert figure.value is None
        assert "balance_pgdat are not recorded" in str(figure.reason)
    quiet = of_suite()
    quiet.run(KSWAPD, 1300 * MS, 1301 * MS)
    for figure in read(tmp_path, quiet).values():
        assert figure.value is None
        assert "no reclaim cycle" in str(figure.reason)


def test_the_model_is_of_one_kswapd(tmp_path: Path) -> None:
    builder = of_suite()
    builder.thread(51, "kswapd1")
    cycle(builder, 1300, [6])
    builder.run(51, 1300 * MS, 1310 * MS, cpu=1)
    builder.call(probes.CYCLE.name, 51, 1300 * MS, 1310 * MS, cpu=1)
    figure = read(tmp_path, builder)["model_serial_ms"]
    assert figure.value is None
    assert "2 kswapd threads" in str(figure.reason)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(0, 5), st.integers(0, 5), st.sampled_from(("both", "in", "out"))
        ),
        max_size=40,
    )
)
def test_pairing_is_what_a_walk_through_each_thread_finds(
    history: list[tuple[int, int, int, str]],
) -> None:
    """Oracle: remember the last entry of each thread; some ends of calls were not recorded."""
    now = dict.fromkeys((1, 2, 3), 0)
    enters, exits, wanted = [], [], []
    pending: dict[int, int | None] = dict.fromkeys((1, 2, 3))
    for number, (thread, gap, length, ends) in enumerate(history):
        begin = now[thread] + 1 + gap
        end = begin + length
        now[thread] = end
        if ends in ("both", "in"):
            enters.append((begin, thread, number))
            pending[thread] = begin
        if ends in ("both", "out"):
            exits.append((end, thread, -number))
            if pending[thread] is not None:
                wanted.append((thread, pending[thread], end))
            pending[thread] = None
    found = paired(np.array(enters, np.int64).reshape(-1, 3), np.array(exits, np.int64).reshape(-1, 3))
    pairs = list(zip(found.utid.tolist(), found.begin.tolist(), found.end.tolist(), strict=True))
    assert sorted(pairs) == sorted(wanted)
    assert list(found.begin) == sorted(found.begin)
    assert found.unpaired == len(enters) + len(exits) - 2 * len(pairs)
