"""Perfetto's own client on the offline trace processor, and native trace processors."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from analysis.trace_processor import EngineChoice, open_trace
from analysis.trace_processor.client import OfflineTraceProcessor
from foundation.errors import HostError, TraceError
from tests.stand_ins.trace_processor import program
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite, write


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    return write(tmp_path, builder.build())


@pytest.fixture
def native(tmp_path: Path) -> EngineChoice:
    return EngineChoice(path=program(tmp_path))


def test_the_client_gives_the_answers_of_a_session(trace: Path) -> None:
    query = "SELECT ts, dur, cpu, end_state FROM sched ORDER BY id"
    with open_trace(trace) as session:
        expected = session.rows(query)
    with OfflineTraceProcessor(trace) as client:
        rows = [(row.ts, row.dur, row.cpu, row.end_state) for row in client.query(query)]
        assert rows == expected
        assert client.metric(["trace_stats"]).ByteSize() > 0


def test_the_client_keeps_its_whole_interface(trace: Path) -> None:
    client = OfflineTraceProcessor(trace)
    frame = client.query("SELECT COUNT(*) AS n FROM ftrace_event").as_pandas_dataframe()
    assert frame["n"][0] > 0
    spec = 'metric_spec { id: "m" value: "n" query { sql { sql: "SELECT 7 AS n" column_names: "n" } } }'
    (bundle,) = client.trace_summary([spec]).metric_bundles
    assert bundle.row[0].values[0].double_value == 7
    client.enable_metatrace()
    assert client.disable_and_read_metatrace()
    client.close()
    client.close()
    with pytest.raises(TraceError, match="closed"):
        client.query("SELECT 1")


def test_the_client_obeys_its_own_configuration(trace: Path) -> None:
    from perfetto.trace_processor import TraceProcessorConfig

    with OfflineTraceProcessor(trace, TraceProcessorConfig(ingest_ftrace_in_raw=False)) as client:
        assert next(iter(client.query("SELECT COUNT(*) AS n FROM ftrace_event"))).n == 0


def test_the_client_reports_a_bad_trace(tmp_path: Path) -> None:
    from perfetto.trace_processor.api import TraceProcessorException

    bad = write(tmp_path, b"nonsense " * 100, "bad")
    with pytest.raises(TraceProcessorException):
        OfflineTraceProcessor(bad)
    with pytest.raises(TraceError, match="No such file"):
        OfflineTraceProcessor(tmp_path / "absent")


def test_an_explicit_program_runs_as_a_native_one(trace: Path, native: EngineChoice) -> None:
    query = "SELECT ts, dur, utid FROM sched ORDER BY id"
    with open_trace(trace, native) as one, open_trace(trace) as offline:
        assert (one.engine.kind, offline.engine.kind) == ("native", "wasm")
        assert one.engine.version == offline.engine.version
        assert one.rows(query) == offline.rows(query)


def test_a_program_that_is_not_a_trace_processor_is_an_error(trace: Path, tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    script.chmod(0o755)
    with (
        pytest.raises(HostError, match="did not start: no display"),
        open_trace(trace, EngineChoice(path=script)),
    ):
        pass


def test_a_process_that_dies_is_an_error(trace: Path, native: EngineChoice) -> None:
    with open_trace(trace, native) as session:
        session._transport._process.kill()  # type: ignore[attr-defined]
        session._transport._process.wait()  # type: ignore[attr-defined]
        with pytest.raises(TraceError, match="lost the trace processor"):
            session.rows("SELECT 1")


def test_a_process_that_does_not_answer_is_an_error(trace: Path, native: EngineChoice) -> None:
    with open_trace(trace, native) as session:
        process = session._transport._process  # type: ignore[attr-defined]
        process.send_signal(signal.SIGSTOP)
        session._transport._connection.sock.settimeout(0.1)  # type: ignore[attr-defined]
        with pytest.raises(TraceError, match="timed out"):
            session.rows("SELECT 1")
    assert process.poll() is not None


def test_a_bad_trace_in_a_native_one_is_an_error(tmp_path: Path, native: EngineChoice) -> None:
    bad = write(tmp_path, b"nonsense " * 100, "bad")
    with pytest.raises(TraceError, match="is not a trace"), open_trace(bad, native):
        pass
