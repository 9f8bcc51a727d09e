"""The offline trace processor: its cache, its messages, and how it fails."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from types import FrameType

import pytest
import wasmtime

from analysis.trace_processor import EngineChoice, module_cache, open_trace
from analysis.trace_processor.choice import find_engine
from analysis.trace_processor.messages import QueryError
from analysis.trace_processor.wasm import REQUEST_BUFFER, WasmAborted, WasmInstance
from foundation.errors import HostError, TraceError
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import of_suite, write


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.kswapd_awake(50, 1300 * MS, 1310 * MS)
    builder.capture()
    return write(tmp_path, builder.build())


def test_answers_have_names_types_and_nulls(trace: Path) -> None:
    with open_trace(trace) as session:
        frame = session.query("SELECT 1 AS a, 2.5 AS b, 'text' AS c, NULL AS d, x'00ff' AS e")
        assert list(frame.columns) == ["a", "b", "c", "d", "e"]
        assert session.rows("SELECT 1, 2.5, 'text', NULL, x'00ff', 'ü', -7") == [
            (1, 2.5, "text", None, b"\x00\xff", "ü", -7)
        ]
        assert session.rows("SELECT 1 WHERE 0") == []
        assert session.engine.kind == "wasm"
        assert "v52.0" in session.engine.version


def test_kswapds_wake_and_sleep_are_kept(trace: Path) -> None:
    with open_trace(trace) as session:
        names = session.rows(
            "SELECT name FROM ftrace_event WHERE name GLOB 'mm_vmscan_kswapd_*' ORDER BY ts"
        )
    assert names == [("mm_vmscan_kswapd_wake",), ("mm_vmscan_kswapd_sleep",)]


def test_a_wrong_query_is_an_error_in_one_line_and_the_next_one_works(trace: Path) -> None:
    with open_trace(trace) as session:
        with pytest.raises(QueryError, match="no such table: nonsense") as caught:
            session.rows("SELECT * FROM nonsense")
        assert "\n" not in str(caught.value)
        assert session.rows("SELECT 1") == [(1,)]


def test_an_answer_of_many_batches_is_complete(tmp_path: Path) -> None:
    builder = TraceBuilder()
    for index in range(20_000):
        builder.counter("many", 1000 * MS + index, index)
    with open_trace(write(tmp_path, builder.build())) as session:
        rows = session.rows("SELECT value FROM counter ORDER BY ts")
    assert [row[0] for row in rows] == list(range(20_000))


def test_traces_do_not_see_each_other(trace: Path, tmp_path: Path) -> None:
    other = TraceBuilder()
    other.counter("only here", 1000 * MS, 1)
    with open_trace(trace) as one, open_trace(write(tmp_path, other.build(), "other")) as two:
        assert one.rows("SELECT COUNT(*) FROM sched") != [(0,)]
        assert two.rows("SELECT COUNT(*) FROM sched") == [(0,)]
        assert one.rows("SELECT COUNT(*) FROM counter") == [(0,)]


def test_a_closed_session_is_an_error(trace: Path) -> None:
    with open_trace(trace) as session:
        pass
    with pytest.raises(TraceError, match="closed"):
        session.rows("SELECT 1")


def test_a_request_larger_than_the_buffer_is_refused() -> None:
    instance = WasmInstance(find_engine(EngineChoice(kind="wasm"), 1).path)
    with pytest.raises(ValueError, match="larger than the buffer"):
        instance.request(bytes(REQUEST_BUFFER + 1))
    instance.close()
    instance.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_callback_waits_for_the_end_of_the_call(
    trace: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopRequested(Exception):
        pass

    def stop(signum: int, frame: FrameType | None) -> None:
        raise StopRequested

    armed: list[bool] = []
    ended: list[bool] = []
    plain = WasmInstance._on_reply

    def interrupted(self: WasmInstance, address: int, size: int) -> None:
        if armed:
            armed.clear()
            os.kill(os.getpid(), number)
            ended.append(True)
        plain(self, address, size)

    monkeypatch.setattr(WasmInstance, "_on_reply", interrupted)
    before = signal.signal(number, stop)
    try:
        with open_trace(trace, EngineChoice(kind="wasm")) as session:
            armed.append(True)
            with pytest.raises(StopRequested):
                session.rows("SELECT 1")
            assert ended
            assert session.rows("SELECT 2") == [(2,)]
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)


def test_out_of_memory_is_an_error_and_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    for index in range(50_000):
        builder.run(50, 1000 * MS + 20 * index, 1000 * MS + 20 * index + 10)
    path = write(tmp_path, builder.build())
    module = find_engine(EngineChoice(kind="wasm"), 1).path
    with monkeypatch.context() as small:
        small.setattr("analysis.trace_processor.wasm._HEAP_MAX_32", 40 << 20)
        with pytest.raises(WasmAborted, match="gave up"), open_trace(path, EngineChoice(path=module)):
            pass
    with open_trace(path) as session:
        assert session.rows("SELECT COUNT(*) FROM sched WHERE utid != 0") == [(50_000,)]


def test_the_64_bit_module_gives_the_same_answers(trace: Path) -> None:
    module = find_engine(EngineChoice(kind="wasm"), 300 * 10**6).path
    query = "SELECT ts, dur, utid, end_state FROM sched ORDER BY id"
    with open_trace(trace) as small, open_trace(trace, EngineChoice(path=module)) as large:
        assert large.engine.kind == "wasm64"
        assert large.rows(query) == small.rows(query)


def _load(path: Path) -> None:
    module_cache.load_module(wasmtime.Engine(), path, memory64=False)


def test_compiled_code_is_kept_private_and_damage_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    small = tmp_path / "small.wasm"
    small.write_bytes(wasmtime.wat2wasm('(module (func (export "f") (result i32) i32.const 7))'))
    _load(small)
    modules = tmp_path / "cache" / "engine-modules"
    assert stat.S_IMODE(modules.stat().st_mode) == 0o700
    (cached,) = modules.iterdir()
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2] + b"\x90" * (len(whole) - len(whole) // 2))
    modules.chmod(0o755)
    _load(small)
    assert cached.read_bytes() == whole
    assert stat.S_IMODE(modules.stat().st_mode) == 0o700


def test_a_file_that_is_not_webassembly_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(b"\0asm\1\0\0\0 and then nothing that makes sense")
    with pytest.raises(HostError, match="not a WebAssembly module"):
        _load(broken)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_cache_of_another_user_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path))
    (tmp_path / "engine-modules").mkdir()
    os.chown(tmp_path / "engine-modules", 12345, 12345)
    with pytest.raises(HostError, match="belongs to another user"):
        module_cache.private_folder()
