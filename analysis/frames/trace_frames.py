"""One trace as frames, from the SQL package. Times are relative to the start of the measured window."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from analysis.frames.columns import AWAKE, COUNTERS, FIGURES, QUEUE, STALLS, SWITCHES, THREADS
from analysis.judging.columns import Columns

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice, TraceSession

_START: str = "(ts - (SELECT ts FROM reclaim_window)) / 1e9 AS start_s"
_INCLUDE: str = "INCLUDE PERFETTO MODULE reclaim.{module}; INCLUDE PERFETTO MODULE reclaim.window; "


class TraceFrames:
    """Frames of a loaded trace; a frame is empty if its events were not recorded."""

    def __init__(self, session: TraceSession) -> None:
        self.session = session

    @property
    def window_s(self) -> float:
        """Length of the measured window in s."""
        return float(self._query("window", "SELECT dur / 1e9 AS s FROM reclaim_window")["s"].iloc[0])

    def threads(self) -> pd.DataFrame:
        """Threads with a role in reclaim and their CPU time: columns of `THREADS`."""
        return self._frame(
            THREADS,
            "cpu",
            "SELECT t.utid, t.tid, t.comm, t.role, COALESCE(c.cpu_ns, 0) / 1e6 AS cpu_ms,"
            " COALESCE(c.runnable_ns, 0) / 1e6 AS runnable_ms"
            " FROM reclaim_thread AS t LEFT JOIN reclaim_cpu AS c USING (utid)"
            " WHERE t.role IS NOT NULL ORDER BY t.utid",
        )

    def switches(self) -> pd.DataFrame:
        """App switches that start in the window: columns of `SWITCHES`."""
        return self._frame(
            SWITCHES,
            "switches",
            f'SELECT {_START}, switch_index AS "index", package, launch_state, total_time_ms,'
            " dur / 1e6 AS command_ms, killed_since_last FROM reclaim_switch WHERE in_window ORDER BY ts",
        )

    def stalls(self) -> pd.DataFrame:
        """Direct reclaims of the whole trace: columns of `STALLS`."""
        return self._frame(
            STALLS,
            "direct",
            f"SELECT {_START.replace('(ts', '(d.ts')}, IIF(d.dur < 0, NULL, d.dur / 1e6) AS dur_ms,"
            " COALESCE(t.comm, '?') AS comm, t.tid, d.role"
            " FROM reclaim_direct AS d LEFT JOIN reclaim_thread AS t USING (utid) ORDER BY d.ts",
        )

    def awake(self) -> pd.DataFrame:
        """Times that kswapd was awake in the whole trace: columns of `AWAKE`."""
        return self._frame(
            AWAKE,
            "kswapd",
            f"SELECT {_START.replace('(ts', '(k.ts')}, k.dur / 1e6 AS dur_ms, t.comm"
            " FROM reclaim_kswapd_awake AS k JOIN reclaim_thread AS t USING (utid) ORDER BY k.ts",
        )

    def queue(self) -> pd.DataFrame:
        """Depth of the compression queue over the whole trace: columns of `QUEUE`."""
        return self._frame(
            QUEUE, "queue", f"SELECT {_START}, waiting, in_flight FROM reclaim_queue_depth ORDER BY ts"
        )

    def counters(self, names: Sequence[str]) -> pd.DataFrame:
        """All values of these counters in the whole trace: columns of `COUNTERS`."""
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in names) or "NULL"
        return self._frame(
            COUNTERS,
            "counters",
            f"SELECT {_START}, name, value FROM reclaim_counter WHERE name IN ({quoted}) ORDER BY name, ts",
        )

    def _query(self, module: str, sql: str) -> pd.DataFrame:
        return self.session.query(_INCLUDE.format(module=module) + sql)

    def _frame(self, columns: Columns, module: str, sql: str) -> pd.DataFrame:
        frame = self._query(module, sql).reindex(columns=list(columns))
        numbers = [name for name, column in columns.items() if column.type.startswith("number")]
        truths = [name for name, column in columns.items() if column.type == "truth"]
        return frame.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(truths, "bool"))


def figures(trace: Path, engine: EngineChoice | None = None) -> pd.DataFrame:
    """All metrics of a trace: columns of `FIGURES`. TraceError for an incomplete trace."""
    from analysis.metrics import metric_named
    from analysis.metrics.evaluation import evaluate

    rows = [
        {"metric": name, "value": one.value, "unit": metric_named(name).unit, "reason": one.reason}
        for name, one in evaluate(trace, engine=engine).known().items()
    ]
    return pd.DataFrame(rows, columns=pd.Index(list(FIGURES))).astype({"value": "float64"})


@contextlib.contextmanager
def open_frames(trace: Path, engine: EngineChoice | None = None) -> Iterator[TraceFrames]:
    """Load a trace for its frames. Errors as `analysis.trace_processor.open_trace`."""
    from analysis.trace_processor import open_trace

    with open_trace(trace, engine) as session:
        yield TraceFrames(session)
