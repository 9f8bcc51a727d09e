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
from tests.unit.capture.capture_raw import (
    KSWAPD_RUN_NS,
    MS,
    SWITCHES,
    WINDOW,
    raw_capture,
)


@dataclasses.dataclass(frozen=True)
class Loaded:
    raw: RawCapture
    report: CaptureReport
    trace: TraceSession


def pairs(rows: Iterable[tuple[Any, ...]]) -> dict[Any, Any]:
    return dict(rows)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("capture")
    raw = raw_capture(folder)
    report = assemble(raw, SWITCHES, tmp_path_factory.mktemp("out") / "trace.perfetto-trace")
    with open_trace(report.path) as trace:
        yield Loaded(raw, report, trace)


def test_time_on_cpu_is_exact(loaded: Loaded) -> None:
    # The last interval ends with the trace, the trace processor does not know when.
    rows = loaded.trace.rows(
        f"select sum(iif(dur < 0, {WINDOW[1]}, min(ts + dur, {WINDOW[1]})) - ts)"
        f" from sched join thread using (utid) where tid = 42 and ts < {WINDOW[1]}"
    )
    assert rows == [(KSWAPD_RUN_NS,)]


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
    assert facts[prefix + conventions.CAPTURE_BACKEND] == "perfetto"
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


def test_suite_packets_survive_in_a_trace_that_is_sorted_in_parts(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    report = assemble(raw_capture(folder), SWITCHES, tmp_path / "t.perfetto-trace")
    assert report.loss == ()
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
