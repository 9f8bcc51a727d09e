"""Laws that hold for every schedule."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.trace.on_cpu import on_cpu
from analysis.trace.recording import Recording
from analysis.trace_processor import open_trace
from tests.unit.golden.builder import TraceBuilder

CPUS = 2
TIDS = (50, 51, 60, 70)
BEGIN, END = 1_000_000, 2_000_000

#: For each CPU, lengths of stretches in turn idle and busy, and who runs in the busy ones.
Schedule = list[list[tuple[int, int, int]]]
schedules: st.SearchStrategy[Schedule] = st.lists(
    st.lists(
        st.tuples(st.integers(0, 90_000), st.integers(1, 90_000), st.sampled_from(TIDS)),
        min_size=1,
        max_size=12,
    ),
    min_size=CPUS,
    max_size=CPUS,
)


def _runs(schedule: Schedule) -> list[tuple[int, int, int, int]]:
    """(cpu, begin, end, tid); a thread may be on two CPUs at once, which the sums do not mind."""
    runs = []
    for cpu, stretches in enumerate(schedule):
        at = BEGIN + 10
        for idle, busy, tid in stretches:
            runs.append((cpu, at + idle, at + idle + busy, tid))
            at += idle + busy
    return runs


@settings(max_examples=25)
@given(schedule=schedules, window=st.tuples(st.integers(0, 900_000), st.integers(1, 900_000)))
def test_cpu_time_of_all_threads_is_the_windows_less_idle(
    schedule: Schedule, window: tuple[int, int]
) -> None:
    builder = TraceBuilder(cpus=CPUS, begin=BEGIN, end=END * 2)
    for tid, comm in zip(TIDS, ("kswapd0", "kswapd1", "kcompressd0", "app"), strict=True):
        builder.thread(tid, comm)
    runs = _runs(schedule)
    for cpu, begin, end, tid in runs:
        builder.run(tid, begin, end, cpu=cpu)
    # From the first switch on: before it nobody knows who ran.
    known = max(min(begin for cpu, begin, _, _ in runs if cpu == one) for one in range(CPUS))
    begin, end = known + window[0], known + window[0] + window[1]
    builder.repetition(begin, end)
    builder.capture()

    truth = dict.fromkeys(TIDS, 0)
    for _, run_begin, run_end, tid in runs:
        truth[tid] += max(0, min(run_end, end) - max(run_begin, begin))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        path.write_bytes(builder.build())
        with open_trace(path) as session:
            recording = Recording(session)
            tids = {thread.utid: thread.tid for thread in recording.threads if thread.tid in TIDS}
            found = {tids[utid]: time.ns for utid, time in on_cpu(recording, list(tids)).items()}
            ((idle,),) = session.rows(
                f"SELECT COALESCE(SUM(MIN(IIF(dur < 0, {END * 2}, ts + dur), {end}) - MAX(ts, {begin})), 0)"
                f" FROM sched JOIN thread USING (utid) WHERE is_idle"
                f" AND ts < {end} AND (dur < 0 OR ts + dur > {begin})"
            )
    assert found == truth
    assert sum(found.values()) == CPUS * (end - begin) - int(str(idle))
