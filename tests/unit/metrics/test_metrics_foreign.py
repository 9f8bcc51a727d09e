"""Traces that the suite did not record: what is known of them, and what is not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from foundation.errors import TraceError
from tests.unit.golden import systrace
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import figures, value, write


def _foreign(comm: str = "kswapd0") -> TraceBuilder:
    builder = TraceBuilder()
    builder.thread(50, comm)
    builder.thread(70, "com.example.app", tgid=70)
    builder.run(70, 1050 * MS, 1060 * MS)
    builder.run(50, 1100 * MS, 1150 * MS)
    builder.run(70, 1300 * MS, 1400 * MS)
    builder.run(50, 1400 * MS, 1425 * MS)
    return builder


def test_the_window_is_the_whole_trace(tmp_path: Path) -> None:
    found = figures(write(tmp_path, _foreign().build()))
    # From its first event to its last.
    assert found["window_s"].value == pytest.approx(0.375)
    assert "whole trace" in str(found["window_s"].reason)
    assert found["kswapd_cpu_ms"].value == pytest.approx(75)


def test_compact_scheduling_gives_the_same_time(tmp_path: Path) -> None:
    # It cannot tell the first switch of each CPU, here the app's.
    found = figures(write(tmp_path, _foreign().build(compact=True)))
    assert found["kswapd_cpu_ms"].value == pytest.approx(75)


@pytest.mark.parametrize("comm", ["kswapd0", "kswapd0:0"])
@pytest.mark.parametrize("form", ["text", "html"])
def test_systrace_of_an_old_phone(tmp_path: Path, comm: str, form: str) -> None:
    builder = _foreign(comm)
    content = systrace.as_text(builder) if form == "text" else systrace.as_html(builder)
    found = figures(write(tmp_path, content.encode(), f"old.{form}"))
    assert found["kswapd_cpu_ms"].value == pytest.approx(75)
    # The text form of the tracepoint is not read by the trace processor: unknown, not 0.
    assert found["direct_reclaim_count"].value is None
    assert found["compression_cpu_ms"].value is None
    assert found["reclaim_cpu_ms"].value is None
    assert found["kswapd_runnable_wait_ms"].value is None
    assert found["pswpout"].value is None


def test_a_systrace_that_was_cut_is_refused(tmp_path: Path) -> None:
    html = systrace.as_html(_foreign()).encode()
    text = systrace.as_text(_foreign()).encode()
    for name, content in (("cut.html", html[:-60]), ("cut.txt", text[:-20])):
        with pytest.raises(TraceError, match=r"not whole.*cut"):
            figures(write(tmp_path, content, name))


def test_a_systrace_whose_buffer_was_overwritten_is_refused(tmp_path: Path) -> None:
    content = systrace.as_text(_foreign(), overwritten=40).encode()
    with pytest.raises(TraceError, match="40 of 47 ftrace events were overwritten"):
        figures(write(tmp_path, content, "lost.txt"))


def test_without_a_process_tree_names_come_from_the_switches(tmp_path: Path) -> None:
    assert value(write(tmp_path, _foreign().build(process_tree=False)), "kswapd_cpu_ms") == pytest.approx(
        75
    )


def test_without_a_process_tree_a_kswapd_that_never_ran_is_an_error(tmp_path: Path) -> None:
    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    builder.thread(70, "com.example.app", tgid=70)
    builder.run(70, 1100 * MS, 1200 * MS)
    with pytest.raises(TraceError, match=r"no thread has the role reclaim.*com\.example\.app"):
        figures(write(tmp_path, builder.build(process_tree=False)))
    # With one it is a fact: it did not run.
    assert value(write(tmp_path, builder.build()), "kswapd_cpu_ms") == 0


def test_a_process_tree_that_lists_kernel_threads_as_processes(tmp_path: Path) -> None:
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    builder.thread(70, "com.example.app", tgid=70)
    builder.run(70, 1100 * MS, 1200 * MS)
    trace = Trace.FromString(builder.build())
    for packet in trace.packet:
        if packet.HasField("process_tree"):
            del packet.process_tree.threads[:]
    assert value(write(tmp_path, trace.SerializeToString()), "kswapd_cpu_ms") == 0


def test_without_ftrace_cpu_time_is_unknown(tmp_path: Path) -> None:
    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    builder.sys_stats(1100 * MS, {"pswpout": 10})
    builder.sys_stats(1900 * MS, {"pswpout": 30})
    found = figures(write(tmp_path, builder.build()))
    assert found["pswpout"].value == 20
    for name in ("kswapd_cpu_ms", "compression_cpu_ms", "reclaim_cpu_ms", "direct_reclaim_count"):
        assert found[name].value is None
        assert found[name].reason


def test_a_compressed_trace_is_read_and_a_cut_one_refused(tmp_path: Path) -> None:
    packed = gzip.compress(_foreign().build())
    assert value(write(tmp_path, packed, "whole.gz"), "kswapd_cpu_ms") == pytest.approx(75)
    with pytest.raises(TraceError):
        figures(write(tmp_path, packed[:-20], "cut.gz"))


def test_a_switch_recorded_elsewhere_is_not_the_suites(tmp_path: Path) -> None:
    builder = _foreign()
    builder.slice("my own track", "repetition", 1100 * MS, 1200 * MS)
    assert figures(write(tmp_path, builder.build()), "window_s")["window_s"].value == pytest.approx(0.375)


def test_a_process_tree_with_the_kernels_threads_shows_that_none_compresses(tmp_path: Path) -> None:
    found = figures(write(tmp_path, _foreign().build()))
    for name in ("compression_cpu_ms", "vendor_reclaim_cpu_ms", "compression_runnable_wait_ms"):
        assert found[name].value == 0, name
        assert "none of the 2 kernel threads" in str(found[name].reason)
    # Without one, a thread of another name may have compressed.
    found = figures(write(tmp_path, _foreign().build(process_tree=False)))
    assert found["compression_cpu_ms"].value is None
    assert "no thread has the role compression" in str(found["compression_cpu_ms"].reason)


def test_marks_that_touch_no_metric_void_none(tmp_path: Path) -> None:
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

    builder = _foreign()
    builder.sys_stats(1100 * MS, {"pswpout": 10})
    builder.sys_stats(1900 * MS, {"pswpout": 30})
    trace = Trace.FromString(builder.build(compact=True))
    config = trace.packet.add(trusted_packet_sequence_id=1).trace_config
    config.write_into_file = True
    for number, source in enumerate(("linux.ftrace", "linux.sys_stats", "track_event")):
        config.buffers.add(size_kb=1024, fill_policy=2)
        config.data_sources.add().config.name = source
        config.data_sources[-1].config.target_buffer = number
    stats = trace.packet.add(trusted_packet_sequence_id=1).trace_stats
    for discarded in (0, 0, 3):
        stats.buffer_stats.add(chunks_discarded=discarded)
    found = figures(write(tmp_path, trace.SerializeToString()))
    assert found["kswapd_cpu_ms"].value == pytest.approx(75)
    assert found["pswpout"].value == 20
    # The counters' buffer: they are void, what ran is not.
    stats.buffer_stats[1].chunks_discarded = 2
    found = figures(write(tmp_path, trace.SerializeToString()))
    assert found["kswapd_cpu_ms"].value == pytest.approx(75)
    assert found["pswpout"].value is None
    assert "chunks discarded" in str(found["pswpout"].reason)
