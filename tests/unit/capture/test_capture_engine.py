"""What the trace processor makes of an assembled trace: the truth of the records, to the ns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.trace_processor import TraceSession, open_trace
from foundation.contract import conventions
from foundation.contract.packets import read_packets
from harness.capture import CaptureReport, RawCapture, assemble
from harness.capture.perfetto.perfetto_session import TRACE_FILE
from tests.unit.capture.capture_raw import (
    MS,
    SWITCHES,
    WINDOW,
    Truth,
    raw_capture,
    service_trace,
    write_pages,
)


@dataclasses.dataclass(frozen=True)
class Loaded:
    raw: RawCapture
    truth: Truth
    report: CaptureReport
    trace: TraceSession


def pairs(rows: Iterable[tuple[Any, ...]]) -> dict[Any, Any]:
    return dict(rows)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("capture")
    truth = write_pages(folder)
    raw = raw_capture(folder)
    report = assemble(raw, SWITCHES, tmp_path_factory.mktemp("out") / "trace.perfetto-trace")
    with open_trace(report.path) as trace:
        yield Loaded(raw, truth, report, trace)


def test_time_on_cpu_is_exact(loaded: Loaded) -> None:
    rows = loaded.trace.rows(
        "select tid, sum(dur) from sched join thread using (utid) where tid > 0 and dur >= 0 group by tid"
    )
    assert pairs(rows) == loaded.truth.run_ns


def test_nothing_is_lost_or_unknown(loaded: Loaded) -> None:
    bad = loaded.trace.rows(
        "select name, idx, value from stats where value != 0 and (severity != 'info'"
        " or name glob '*overrun_delta' or name glob '*dropped_events_delta' or name glob 'vmstat_unknown*'"
        " or name glob 'ftrace_setup_errors' or name glob 'traced_buf_*')"
    )
    assert bad == []
    closing = loaded.trace.rows("select idx, value from stats where name = 'ftrace_cpu_entries_end'")
    assert pairs(closing) == loaded.truth.records


def test_every_thread_has_its_name_and_process(loaded: Loaded) -> None:
    threads = {
        tid: (name, process)
        for tid, name, process in loaded.trace.rows(
            "select tid, thread.name, process.name from thread left join process using (upid)"
        )
    }
    assert threads[42] == ("kswapd0", "kswapd0")
    assert threads[43] == ("kcompressd:0", "kcompressd:0")
    assert threads[44] == ("never_ran", "never_ran")
    assert threads[701] == ("RenderThread", "com.example.app")


def test_window_and_capture_facts(loaded: Loaded) -> None:
    (row,) = loaded.trace.rows(
        "select ts, dur from slice join track on track.id = slice.track_id"
        f" where track.name = '{conventions.SUITE_TRACK}'"
        f" and slice.name = '{conventions.REPETITION_SLICE}'"
    )
    assert row == (WINDOW[0], WINDOW[1] - WINDOW[0])
    facts = pairs(
        loaded.trace.rows(
            "select key, display_value from slice join args using (arg_set_id)"
            f" where slice.name = '{conventions.CAPTURE_SLICE}'"
        )
    )
    prefix = conventions.ANNOTATION_PREFIX
    assert facts[prefix + conventions.CAPTURE_BACKEND] == "ftrace"
    assert facts[prefix + conventions.CAPTURE_LOSS] == ""
    assert facts[prefix + conventions.CAPTURE_MISSING_EVENTS] == "sched/sched_blocked_reason"
    assert facts[prefix + conventions.CAPTURE_THREADS] == "42:kswapd0 43:kcompressd:0"
    assert float(str(facts[prefix + conventions.CAPTURE_MAX_GAP_MS])) == 200.0


def test_switches(loaded: Loaded) -> None:
    facts = ("launch_state", "total_time_ms", "killed_since_last")
    columns = ", ".join(f"extract_arg(arg_set_id, 'debug.{name}')" for name in facts)
    rows = loaded.trace.rows(
        f"select slice.name, ts, dur, {columns}"
        " from slice join track on track.id = slice.track_id"
        f" where track.name = '{conventions.SWITCH_TRACK}' order by ts"
    )
    assert [row[:5] for row in rows] == [
        (s.package, s.t_begin_boot_ns, s.t_end_boot_ns - s.t_begin_boot_ns, s.launch_state, s.total_time_ms)
        for s in SWITCHES
    ]
    assert [bool(row[5]) for row in rows] == [True, False]


def test_counters_are_the_samples(loaded: Loaded) -> None:
    for sample, at in ((loaded.raw.begin, WINDOW[0]), (loaded.raw.end, WINDOW[1])):
        rows = loaded.trace.rows(
            "select t.name, c.value from counter c join counter_track t on t.id = c.track_id"
            f" where t.type = 'global_counter_track_event' and c.ts = {at}"
        )
        assert pairs(rows) == dict(sample.values)


def test_perfettos_own_counters_say_the_same(loaded: Loaded) -> None:
    rows = loaded.trace.rows(
        "select t.type, t.name, max(c.value) from counter c join counter_track t on t.id = c.track_id"
        " where t.type in ('vmstat', 'meminfo', 'psi') group by 1, 2"
    )
    end = loaded.raw.end.values
    assert {(str(kind), str(name)): value for kind, name, value in rows} == {
        ("vmstat", "pswpout"): end[conventions.vmstat("pswpout")],
        ("vmstat", "allocstall_normal"): 5,
        ("meminfo", "MemFree"): 1024 * loaded.raw.begin.values[conventions.meminfo_kb("MemFree")],
        ("psi", "psi.mem.some"): 1000 * end[conventions.psi_total_us("memory", "some")],
    }


def test_direct_reclaim_becomes_slices(loaded: Loaded) -> None:
    (row,) = loaded.trace.rows(
        "select count(*), min(dur), max(dur) from slice where name = 'mm_vmscan_direct_reclaim'"
    )
    begins = loaded.report.records["vmscan/mm_vmscan_direct_reclaim_begin"]
    assert row == (begins, 500, 500)
    assert begins > 0


def test_loss_reaches_the_trace_processor(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    write_pages(folder, miss=True)
    report = assemble(raw_capture(folder), (), tmp_path / "t.perfetto-trace")
    with open_trace(report.path) as trace:
        lost = trace.rows("select idx from stats where name = 'ftrace_cpu_has_data_loss' and value != 0")
    assert lost == [(1,)]


def test_suite_packets_survive_in_a_trace_that_is_sorted_in_parts(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    write_pages(folder)
    raw = dataclasses.replace(raw_capture(folder), backend="perfetto")
    service_trace(folder / TRACE_FILE)
    report = assemble(raw, SWITCHES, tmp_path / "t.perfetto-trace")
    # The service's switches are not those of the samples.
    assert all("by schedstat" in loss.text for loss in report.loss)
    expected = sum(
        packet.track_event.WhichOneof("counter_value_field") is not None
        for packet in read_packets(report.path)
    )
    with open_trace(report.path) as trace:
        counters = trace.rows("select count(*) from counter")
        slices = trace.rows("select name from slice order by ts")
        late = trace.rows("select name, value from stats where value != 0 and severity != 'info'")
        kswapd = trace.rows(
            "select distinct dur from sched join thread using (utid) where tid = 42 and dur >= 0"
        )
    assert [name for (name,) in slices] == ["capture", "repetition", *(s.package for s in SWITCHES)]
    assert counters == [(expected,)]
    assert late == []
    assert kswapd == [(10 * MS,)]
