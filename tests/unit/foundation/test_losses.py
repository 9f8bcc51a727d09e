"""What each mark of loss concerns: the data, the stretch of time, hence the metrics."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceEventBundle, TraceConfig, TracePacket

from analysis.metrics import all_metrics
from foundation.contract.ftrace_bundles import LostStretches, bundle_span
from foundation.contract.loss_readings import FAMILIES, READINGS, SEVERE, reading_of
from foundation.contract.losses import (
    DATA,
    EVERYTHING,
    FTRACE,
    NOTHING,
    RECORDED,
    Data,
    buffer_losses,
    data_in_buffers,
    data_of,
    loss_of_line,
    lost,
)
from foundation.contract.needs import Needs
from foundation.contract.packets import SEQUENCE_SUITE
from foundation.contract.service_stats import StatsTime, stale_statistics

some_data = st.frozensets(st.sampled_from(DATA), min_size=1)


@given(st.text(max_size=60), some_data)
def test_a_loss_survives_its_line(text: str, data: frozenset[Data]) -> None:
    loss = lost(" ".join(text.split()), data)
    read = loss_of_line(loss.line)
    if not loss.whole or not loss.text.endswith("]"):
        assert read == loss


def test_a_line_of_an_older_trace_concerns_everything() -> None:
    for line in ("ftrace lost 12 events on CPU 1", "x [void: scheduling, of tomorrow]", "x [void: ]"):
        assert loss_of_line(line).whole


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("kswapd_cpu_ms", {"scheduling", "names"}),
        ("reclaim_cpu_us_per_page", {"scheduling", "events", "names", "counters"}),
        ("zram_compression_ratio", {"suite"}),
        ("direct_reclaim_count", {"events", "names"}),
        ("allocstall", {"counters"}),
        ("window_s", set()),
        ("switch_hot_p50_ms", {"suite"}),
    ],
)
def test_the_data_of_a_metric(name: str, data: set[str]) -> None:
    metrics = all_metrics()
    if name not in metrics:
        name = next(one for one, metric in metrics.items() if metric.needs == Needs(switches=True))
    assert data_of(metrics[name].needs) == data


def test_every_metric_but_the_window_is_made_of_something() -> None:
    nothing = [name for name, metric in all_metrics().items() if not data_of(metric.needs)]
    assert nothing == ["window_s"]


@pytest.mark.parametrize(
    ("name", "severity", "data"),
    [
        ("ftrace_cpu_overrun_delta", "info", FTRACE),
        ("ftrace_cpu_has_data_loss", "data_loss", FTRACE),
        ("ftrace_kprobe_misses_delta", "data_loss", {"probes"}),
        ("ftrace_setup_errors", "error", NOTHING),
        ("interned_data_tokenizer_errors", "info", NOTHING),
        ("config_write_into_file_discard", "data_loss", NOTHING),
        ("compact_sched_switch_skipped", "info", NOTHING),
        ("compact_sched_waking_skipped", "info", NOTHING),
        ("traced_buf_chunks_discarded", "info", RECORDED),
        ("traced_buf_data_loss_read_gap", "data_loss", RECORDED),
        ("process_tracker_errors", "error", {"names"}),
        ("heapprofd_buffer_overran", "data_loss", NOTHING),
        ("clock_sync_failure", "error", EVERYTHING),
        ("a_mark_of_tomorrow", "data_loss", EVERYTHING),
        ("a_mark_of_tomorrow", "error", EVERYTHING),
    ],
)
def test_the_reading_of_a_mark(name: str, severity: str, data: frozenset[Data]) -> None:
    reading = reading_of(name, severity)
    assert reading is not None
    assert reading.data == data


def test_what_is_neither_known_nor_severe_is_no_loss() -> None:
    assert reading_of("a_count_of_tomorrow", "info") is None
    assert reading_of("android_log_num_skipped", "info") is None


def test_no_family_hides_an_exact_reading() -> None:
    for name in READINGS:
        assert reading_of(name, "info") is READINGS[name]
    assert all(prefix.endswith("_") for prefix in FAMILIES)


def test_a_buffer_concerns_what_its_sources_record() -> None:
    config = TraceConfig()
    for _ in range(4):
        config.buffers.add(size_kb=1024)
    for name, buffer in (
        ("linux.ftrace", 0),
        ("linux.process_stats", 1),
        ("linux.sys_stats", 1),
        ("android.surfaceflinger.frametimeline", 2),
    ):
        config.data_sources.add().config.name = name
        config.data_sources[-1].config.target_buffer = buffer
    held = data_in_buffers(config)
    assert held == {0: FTRACE, 1: {"names", "counters"}, 2: NOTHING, 3: NOTHING}
    stats: Any = TracePacket().trace_stats.buffer_stats.add(chunks_discarded=3)
    assert buffer_losses(2, stats, held[2]) == []
    (loss,) = buffer_losses(1, stats, held[1])
    assert loss == lost(
        "3 chunks discarded by perfetto, buffer 1 (chunks_discarded)", {"names", "counters"}
    )


def _bundle(cpu: int, *times: int, marked: bool = False, compact: bool = False) -> FtraceEventBundle:
    bundle = FtraceEventBundle(cpu=cpu, lost_events=marked)
    if compact:
        deltas = [times[0], *(b - a for a, b in itertools.pairwise(times))]
        bundle.compact_sched.switch_timestamp.extend(deltas)
    else:
        for time in times:
            bundle.event.add(timestamp=time)
    return bundle


@given(
    st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=5), min_size=2, max_size=8),
    st.integers(0, 300),
    st.integers(1, 200),
    st.booleans(),
    st.data(),
)
def test_a_stretch_counts_if_it_overlaps_the_window(
    gaps: list[list[int]], begin: int, length: int, compact: bool, data: st.DataObject
) -> None:
    marked = data.draw(st.integers(0, len(gaps) - 1))
    window = begin, begin + length
    stretches, time, before, stretch = LostStretches(), 0, -1, (0, 0)
    for number, steps in enumerate(gaps):
        times = [time := time + step for step in steps]
        bundle = _bundle(1, *times, marked=number == marked, compact=compact)
        assert bundle_span(bundle) == (times[0], times[-1])
        if number == marked:
            stretch = before, times[0]
        stretches.bundle(bundle)
        stretches.bundle(_bundle(0, *times))
        before = times[-1]
    overlaps = stretch[0] < window[1] and stretch[1] > window[0]
    assert stretches.outside(1, window) is not overlaps
    assert (stretches.cpus, stretches.marks(1)) == ((1,), 1)
    # Without a mark it is unknown where a loss lies.
    assert not stretches.outside(0, window)


def test_a_mark_without_events_lasts_until_the_next_event_or_the_end() -> None:
    stretches = LostStretches()
    stretches.bundle(_bundle(0, 100))
    stretches.bundle(_bundle(0, marked=True))
    assert not stretches.outside(0, (200, 300))
    assert stretches.outside(0, (50, 100))
    stretches.bundle(_bundle(0, 150))
    assert stretches.outside(0, (200, 300))
    assert not stretches.outside(0, (120, 130))


def _stats(sequence: int = 1) -> TracePacket:
    packet = TracePacket(trusted_packet_sequence_id=sequence)
    packet.trace_stats.buffer_stats.add()
    return packet


def _clock(boot_ns: int) -> TracePacket:
    packet = TracePacket(trusted_packet_sequence_id=1)
    packet.clock_snapshot.clocks.add(clock_id=1, timestamp=10**18)
    packet.clock_snapshot.clocks.add(clock_id=6, timestamp=boot_ns)
    return packet


def test_statistics_are_as_late_as_what_precedes_them() -> None:
    time = StatsTime()
    time.packet(_clock(100))
    assert not time.seen
    time.packet(_stats())
    assert (time.seen, time.stats_ns) == (True, 100)
    time.packet(TracePacket(trusted_packet_sequence_id=5, timestamp=150))
    assert time.stats_ns == 100
    time.packet(_stats(), 170)
    assert time.stats_ns == 170
    # Of the suite's own packets, which stand before the service's, nothing follows.
    time.packet(TracePacket(trusted_packet_sequence_id=SEQUENCE_SUITE, timestamp=900))
    time.packet(_stats())
    assert time.stats_ns == 170
    # Nor of another clock.
    time.packet(TracePacket(trusted_packet_sequence_id=5, timestamp=10**18, timestamp_clock_id=1))
    time.packet(_stats())
    assert time.stats_ns == 170


def test_statistics_before_the_windows_end_void_all_that_the_service_recorded() -> None:
    time = StatsTime()
    time.packet(_clock(2_000_000_000))
    time.packet(_stats())
    assert stale_statistics(time, 2_000_000_000) == []
    (loss,) = stale_statistics(time, 3_500_000_000)
    assert set(loss.data) == RECORDED
    assert "1.5 s before the window's end" in loss.text


def test_every_severe_statistic_of_the_engine_has_a_reading(tmp_path: Any) -> None:
    from analysis.trace_processor import open_trace
    from tests.unit.golden.reading import of_suite, write

    with open_trace(write(tmp_path, of_suite().build())) as session:
        rows = session.rows("SELECT DISTINCT name, severity FROM stats")
    severe = [str(name) for name, severity in rows if severity in SEVERE]
    assert len(severe) > 100
    unknown = reading_of("a_mark_of_tomorrow", "error")
    assert [name for name in severe if reading_of(name, "error") in (None, unknown)] == []
