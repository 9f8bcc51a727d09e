"""Perfetto's own client, unmodified, on the offline engine; and who may not ask it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.trace_processor import EngineChoice, open_trace
from analysis.trace_processor.client import (
    client_config,
    open_client,
    program,
    serve,
)
from foundation.errors import HostError, TraceError
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite, write

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    return write(tmp_path, builder.build())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve() as where:
        yield where


def _ask(address: str, path: str = "/status", method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, text in headers.items():
            connection.putheader(name.replace("_", "-"), text)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_client_gives_the_answers_of_the_engine_in_process(trace: Path) -> None:
    query = "SELECT ts, dur, cpu, end_state FROM sched ORDER BY id"
    with open_trace(trace) as session:
        expected = session.rows(query)
    with open_client(trace) as client:
        rows = [(row.ts, row.dur, row.cpu, row.end_state) for row in client.query(query)]
        assert rows == expected
        assert client.metric(["trace_stats"]).ByteSize() > 0


def test_the_client_starts_the_engine_itself(trace: Path) -> None:
    from perfetto.trace_processor import TraceProcessor

    with TraceProcessor(trace=str(trace), config=client_config()) as client:
        assert next(iter(client.query("SELECT COUNT(*) AS n FROM ftrace_event"))).n > 0


def test_a_bad_trace_is_told_by_the_client(tmp_path: Path) -> None:
    from perfetto.trace_processor.api import TraceProcessorException

    bad = write(tmp_path, b"nonsense " * 100, "bad")
    with pytest.raises(TraceProcessorException), open_client(bad) as client:
        client.query("SELECT 1")


def test_an_explicit_program_is_asked_as_a_native_one(trace: Path) -> None:
    query = "SELECT ts, dur, utid FROM sched ORDER BY id"
    with open_trace(trace, EngineChoice(path=program())) as native, open_trace(trace) as offline:
        assert native.engine.kind == "native"
        assert native.rows(query) == offline.rows(query)


def test_a_program_that_is_no_engine_is_an_error(trace: Path, tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    script.chmod(0o755)
    with (
        pytest.raises(HostError, match="did not start: no display"),
        open_trace(trace, EngineChoice(path=script)),
    ):
        pass


def test_an_engine_that_dies_is_an_error(trace: Path) -> None:
    with open_trace(trace, EngineChoice(path=program())) as session:
        session._backend._process.kill()  # type: ignore[attr-defined]
        session._backend._process.wait()  # type: ignore[attr-defined]
        with pytest.raises(TraceError, match="went away"):
            session.rows("SELECT 1")


def test_requests_of_other_sites_are_refused(address: str) -> None:
    port = address.partition(":")[2]
    assert _ask(address) == 200
    assert _ask(address, Host=f"localhost:{port}") == 200
    assert _ask(address, Host="evil.example") == 403
    assert _ask(address, Host=f"evil.example:{port}") == 403
    assert _ask(address, Origin="https://evil.example") == 403
    assert _ask(address, Origin="null") == 403
    assert _ask(address, Origin=f"http://127.0.0.1:{port}") == 200


def test_other_paths_methods_and_sizes_are_refused(address: str) -> None:
    assert _ask(address, "/etc/passwd") == 404
    assert _ask(address, "/query", "GET") == 404
    assert _ask(address, "/parse", "POST", Content_Length="99999999999") == 413
    assert _ask(address, "/parse", "POST", Content_Length="-1") == 413


def test_the_port_of_the_web_ui_is_not_taken() -> None:
    done = subprocess.run(
        [str(program()), "-D", "--http-port", "9001"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "take another port" in done.stderr


def test_the_engine_exits_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "from analysis.trace_processor.client import program\n"
        "child = subprocess.Popen([str(program()), '-D', '--announce'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # Nobody may be there to reap it.
    return state != "Z"
