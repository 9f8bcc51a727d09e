"""The SQL package: the trace processor does what the page promises; one name for a role everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.sql import FOLDER, modules
from analysis.sql.reference import Module, described, sql_reference
from analysis.sql.roles import roles_sql
from analysis.trace_processor import EngineChoice, TraceSession, open_trace
from analysis.trace_processor.client import OfflineTraceProcessor
from foundation.contract.threads import role_of
from tests.stand_ins.trace_processor import program
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite, write

_PAGE = Path(__file__).parents[3] / "docs" / "sql.md"
_ASK = "INCLUDE PERFETTO MODULE reclaim.direct; SELECT COUNT(*) AS n FROM reclaim_direct"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = of_suite()
    builder.thread(60, "kcompressd:0")
    builder.run(50, 1190 * MS, 1210 * MS)
    builder.wake(60, 1300 * MS, by=50)
    builder.run(60, 1305 * MS, 1310 * MS)
    builder.direct_reclaim(70, 1400 * MS, 1420 * MS)
    builder.direct_reclaim(70, 1430 * MS, None)
    builder.direct_reclaim(60, 1440 * MS, 1450 * MS)
    builder.counter("vmstat.pswpout", 1200 * MS, 5)
    builder.capture()
    return write(tmp_path_factory.mktemp("sql"), builder.build())


@pytest.fixture(scope="module")
def session(trace: Path) -> Iterator[TraceSession]:
    with open_trace(trace) as opened:
        yield opened


def test_the_page_is_made_from_the_modules() -> None:
    assert _PAGE.read_text(encoding="utf-8") == sql_reference()


def test_the_roles_on_disk_are_those_of_the_table() -> None:
    assert (FOLDER / "roles.sql").read_text(encoding="utf-8") == roles_sql()


@pytest.mark.parametrize("module", described(), ids=lambda module: module.name)
def test_columns_match_the_page_and_every_object_is_prefixed(module: Module, session: TraceSession) -> None:
    assert module.text
    session.rows(f"INCLUDE PERFETTO MODULE {module.name}")
    for one in module.objects:
        assert one.name.startswith("reclaim_")
        assert one.text
        if one.returns is None:
            frame = session.query(f"SELECT * FROM {one.name}")
            assert list(frame.columns) == [column.name for column in one.columns], one.name


@pytest.mark.parametrize(
    "comm",
    [
        *("kswapd0", "kswapd12:3", "kswapd", "xkswapd0", "kswapd0x", "kcompressd:0", "kcompressd12"),
        *("akcompressd:1", "akcompressd1", "zram_comp", "zram_compx", "hybridswapd:0", "hybridswapd"),
        *("zswapd0", "kshrinkd_0", "mi_reclaim", "rtmm_pool", "rtmm_x", "zram0_wbd", "zram1_prefetchd"),
        *("zram_wb_flush", "com.example.app", "", "kswapd0\nkswapd0"),
    ],
)
def test_a_role_is_the_same_in_python_and_in_sql(comm: str, session: TraceSession) -> None:
    query = f"INCLUDE PERFETTO MODULE reclaim.threads; SELECT reclaim_role_of('{comm}')"
    assert session.rows(query) == [(role_of(comm),)]


def test_rows_are_what_the_trace_contains(session: TraceSession) -> None:
    assert session.rows(
        "INCLUDE PERFETTO MODULE reclaim.direct; SELECT ts, dur, role FROM reclaim_direct"
    ) == [
        (1400 * MS, 20 * MS, None),
        (1430 * MS, -1, None),
        (1440 * MS, 10 * MS, "compression"),
    ]
    # The one that never ends stays open; the compression thread's own is not counted.
    assert session.rows("SELECT ts, threads FROM reclaim_direct_depth") == [
        (1400 * MS, 1),
        (1420 * MS, 0),
        (1430 * MS, 1),
    ]
    session.rows("INCLUDE PERFETTO MODULE reclaim.cpu")
    assert session.rows("SELECT comm, cpu_ns, runnable_ns FROM reclaim_cpu ORDER BY comm") == [
        ("kcompressd:0", 5 * MS, 5 * MS),
        ("kswapd0", 10 * MS, 0),
    ]
    assert session.rows("SELECT ts, dur, of_suite FROM reclaim_window") == [(1200 * MS, 600 * MS, 1)]
    counters = "INCLUDE PERFETTO MODULE reclaim.counters; SELECT name, value FROM reclaim_counter"
    assert session.rows(counters) == [("vmstat.pswpout", 5.0)]


def test_every_way_to_a_trace_processor_has_the_package(trace: Path, tmp_path: Path) -> None:
    with open_trace(trace, EngineChoice(path=program(tmp_path))) as native:
        assert native.rows(_ASK) == [(3,)]
    with OfflineTraceProcessor(trace) as client:
        assert next(iter(client.query(_ASK))).n == 3
    assert "reclaim.direct" in modules()
