"""Faults on swapped-out pages by what they find, against histories made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.swap_faults import (
    FAULT,
    LOOKUP,
    METRICS,
    STORE,
    WRITE,
    Writes,
    _following,
    _states,
)
from analysis.metrics.value import MetricValue
from foundation.contract import conventions as names
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, of_suite, write

KSWAPD, HELPER, APP = 50, 60, 70
US: Final = 1000
#: Addresses of struct page, as a kernel has them: negative where they are read as signed.
PAGE: Final = -0x1600_0000_0000
PLACED: Final = " ".join(f"{probe.name}={probe.symbols[0]}" for probe in (FAULT, LOOKUP, WRITE, STORE))


def at(us: float) -> int:
    """Time in ns, ``us`` after 1300 ms."""
    return 1300 * MS + round(us * US)


def fault(builder: TraceBuilder, begin_us: float, took_us: float, page: int, tid: int = APP) -> None:
    """A fault that looks into the swap cache 1 us after its begin."""
    builder.call(FAULT.name, tid, at(begin_us), at(begin_us + took_us), cpu=1)
    builder.call(LOOKUP.name, tid, at(begin_us + 0.5), at(begin_us + 1), cpu=1, result=("folio", page))


def hand_over(builder: TraceBuilder, begin_us: float, took_us: float, page: int) -> None:
    builder.call(WRITE.name, KSWAPD, at(begin_us), at(begin_us + took_us), argument=("page", page))


def store(builder: TraceBuilder, begin_us: float, end_us: float, page: int, tid: int = HELPER) -> None:
    builder.call(STORE.name, tid, at(begin_us), at(end_us), argument=("page", page))


def read(folder: Path, builder: TraceBuilder, **facts: Any) -> dict[str, MetricValue]:
    builder.run(KSWAPD, 1290 * MS, 1291 * MS)
    builder.capture(**({names.CAPTURE_PROBES: PLACED} | facts))
    return figures(write(folder, builder.build()), *(metric.name for metric in METRICS))


def values(folder: Path, builder: TraceBuilder, **facts: Any) -> dict[str, float | None]:
    return {name: figure.value for name, figure in read(folder, builder, **facts).items()}


def with_thread() -> TraceBuilder:
    builder = of_suite()
    builder.thread(HELPER, "kcompressd:0")
    return builder


def test_each_fault_belongs_to_what_it_finds(tmp_path: Path) -> None:
    builder = with_thread()
    builder.thread(71, "com.example.other", tgid=71)
    one, two, three = PAGE, PAGE + 64, PAGE + 128
    # Handed over at 0, 10, 20; stored from 100 to 149, 150 to 199, 200 to 249.
    for number, page in enumerate((one, two, three)):
        hand_over(builder, 10 * number, 5, page)
        store(builder, 100 + 50 * number, 149 + 50 * number, page)
    fault(builder, 60, 30, two)  # waiting
    fault(builder, 95, 50, three)  # waiting
    fault(builder, 110, 40, one, tid=71)  # being stored
    fault(builder, 160, 70, one)  # stored, and still in the swap cache
    fault(builder, 1000, 200, 0)
    fault(builder, 2000, 400, 0)
    fault(builder, 3000, 90, PAGE + 640)  # of nobody's
    found = values(tmp_path, builder)
    assert found["fault_count"] == 7
    assert found["fault_read_count"] == 2
    assert found["fault_read_p50_us"] == pytest.approx(300)
    assert found["fault_read_p99_us"] is None
    assert found["fault_unfinished_count"] == 3
    assert found["fault_unfinished_share"] == pytest.approx(3 / 7)
    assert found["fault_unfinished_p50_us"] == pytest.approx(40)
    assert found["fault_unfinished_max_us"] == pytest.approx(50)
    assert found["fault_unfinished_waiting_count"] == 2
    assert found["fault_unfinished_waiting_p50_us"] == pytest.approx(40)
    assert found["fault_unfinished_storing_p50_us"] is None, "only one"
    assert found["fault_cached_count"] == 2
    assert found["fault_cached_p50_us"] == pytest.approx(80)


def test_without_a_thread_a_page_is_being_stored_from_the_beginning(tmp_path: Path) -> None:
    builder = of_suite()
    hand_over(builder, 0, 60, PAGE)
    store(builder, 5, 58, PAGE, tid=KSWAPD)
    fault(builder, 20, 45, PAGE)
    found = values(tmp_path, builder)
    assert found["fault_unfinished_count"] == 1
    assert found["fault_unfinished_waiting_count"] == 0


def test_one_page_goes_out_twice(tmp_path: Path) -> None:
    builder = with_thread()
    hand_over(builder, 0, 2, PAGE)
    store(builder, 10, 20, PAGE)
    fault(builder, 50, 8, PAGE)  # stored
    hand_over(builder, 100, 2, PAGE)
    fault(builder, 110, 8, PAGE)  # waiting for the second time
    store(builder, 130, 140, PAGE)
    hand_over(builder, 200, 2, PAGE)  # and its store is not in the trace
    fault(builder, 210, 8, PAGE)
    found = values(tmp_path, builder)
    assert found["fault_unfinished_count"] == 1
    assert found["fault_unfinished_waiting_count"] == 1
    assert found["fault_cached_count"] == 2


def test_what_does_not_look_or_lies_outside_does_not_count(tmp_path: Path) -> None:
    builder = with_thread()
    builder.thread(71, "com.example.other", tgid=71)
    builder.call(FAULT.name, APP, at(0), at(9))  # a migration entry
    fault(builder, 100, 9, 0)
    fault(builder, 100, 9, 0, tid=71)  # at the same time, another thread
    fault(builder, -150_000, 9, 0)
    fault(builder, 510_000, 9, 0)
    # Looks again after it was woken: the first look counts.
    hand_over(builder, 200, 2, PAGE)
    store(builder, 240, 260, PAGE)
    builder.call(FAULT.name, APP, at(210), at(280))
    builder.call(LOOKUP.name, APP, at(211), at(212), result=("folio", PAGE))
    builder.call(LOOKUP.name, APP, at(270), at(271), result=("folio", 0))
    # Not of a fault: shmem looks too.
    builder.call(LOOKUP.name, APP, at(300), at(301), result=("folio", PAGE))
    found = values(tmp_path, builder)
    assert found["fault_count"] == 3
    assert found["fault_read_count"] == 2
    assert found["fault_unfinished_waiting_count"] == 1
    assert found["fault_unfinished_max_us"] == pytest.approx(70)


def test_a_kernel_whose_stores_cannot_be_matched_has_only_swap_ins(tmp_path: Path) -> None:
    builder = with_thread()
    for number in range(4):
        hand_over(builder, 10 * number, 5, PAGE + 64 * number)
        store(builder, 10 * number + 6, 10 * number + 8, 0x1234)
    fault(builder, 100, 9, 0)
    found = read(tmp_path, builder)
    assert found["fault_read_count"].value == 1
    assert found["fault_unfinished_count"].value is None
    assert "only 0 of 4 pages" in str(found["fault_unfinished_count"].reason)


def test_what_was_not_recorded_is_unknown(tmp_path: Path) -> None:
    builder = with_thread()
    fault(builder, 100, 9, 0)
    found = read(
        tmp_path,
        builder,
        **{
            names.CAPTURE_PROBES: f"{FAULT.name}=x {LOOKUP.name}=y {WRITE.name}=z",
            names.CAPTURE_MISSING_PROBES: f"{STORE.name}: the kernel has no function zram_bvec_rw",
        },
    )
    assert found["fault_read_count"].value == 1
    assert "no function zram_bvec_rw" in str(found["fault_unfinished_count"].reason)
    none = read(tmp_path, with_thread(), **{names.CAPTURE_PROBES: ""})
    assert {figure.value for figure in none.values()} == {None}


pages = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 60)), max_size=25)


@given(pages, pages)
def test_the_following_entry_is_what_a_search_finds(
    wanted: list[tuple[int, int]], entries: list[tuple[int, int]]
) -> None:
    def columns(rows: list[tuple[int, int]]) -> tuple[Any, Any]:
        table = np.array(rows, np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    found = _following(*columns(wanted), *columns(entries))
    for (page, when), index in zip(wanted, found.tolist(), strict=True):
        later = [time for other, time in entries if other == page and time >= when]
        if not later:
            assert index == -1
        else:
            assert entries[index][0] == page
            assert entries[index][1] == min(later)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(0, 9), st.integers(1, 9)), max_size=12
    ),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 150)), max_size=12),
)
def test_the_state_of_a_page_is_what_a_walk_finds(
    history: list[tuple[int, int, int, int]], looks: list[tuple[int, int]]
) -> None:
    """Oracle: each page goes out again and again, never twice at one time."""
    now = dict.fromkeys((1, 2, 3), 0)
    rows = []
    for page, gap, waits, stores in history:
        begin = now[page] + gap
        rows.append((page, begin, begin + waits, begin + waits + stores))
        now[page] = rows[-1][3]
    table = np.array(rows, np.int64).reshape(-1, 4)
    asked = np.array(looks, np.int64).reshape(-1, 2)
    waiting, storing = _states(Writes(*table.T), asked[:, 0], asked[:, 1])
    for number, (page, when) in enumerate(looks):
        own = [row for row in rows if row[0] == page]
        assert waiting[number] == any(begin <= when < store for _, begin, store, _ in own)
        assert storing[number] == any(begin <= when and store <= when < end for _, begin, store, end in own)
