"""Whether a trace may be judged at all: losses by name, missing ends, contradictions.

Nothing here looks at a metric. A trace that lost part of the scheduling gives a smaller
kswapd time, and nothing in the figure shows it: so it is refused, not repaired.
"""

from __future__ import annotations

from typing import Final

from analysis.trace.framing import FileFacts
from analysis.trace.recording import Recording, whole
from analysis.trace.schedstat import disagreements
from analysis.trace_processor.messages import Cell
from foundation.contract import conventions as names
from foundation.contract import losses

#: Asked-for events that the kernel refused. The suite's own traces say which ones
#: (`conventions.CAPTURE_MISSING_EVENTS`), and the metrics that need them say so.
_SETUP_ERRORS: Final = "ftrace_setup_errors"
#: compact_sched cannot tell the first event of a CPU: one a CPU is no loss of the recording.
_COMPACT_SKIPPED: Final = ("compact_sched_switch_skipped", "compact_sched_waking_skipped")


def reasons(recording: Recording) -> list[str]:
    """Reasons why a trace is not whole; empty: it may be judged.

    TraceError if the file cannot be read, or its window is missing, cut or not the only one.
    """
    facts = recording.file
    stats = _stats(recording)
    found = [*facts.damage]
    found += _losses(recording, stats)
    found += _missing_ends(recording, facts, stats)
    loss = str((recording.capture or {}).get(names.CAPTURE_LOSS) or "")
    found += [line for line in loss.splitlines() if line and line not in found]
    begin, end = recording.bounds
    window = recording.window
    if not begin <= window.begin < window.end <= end:
        found.append("the repetition is not inside the recording")
    found += disagreements(recording)
    return found


def _stats(recording: Recording) -> dict[str, tuple[str, list[int]]]:
    """Severity and all values that are not 0, by name."""
    stats: dict[str, tuple[str, list[int]]] = {}
    query = "SELECT name, severity, value FROM stats WHERE value != 0"
    for name, severity, value in recording.session.rows(query):
        stats.setdefault(str(name), (str(severity), []))[1].append(whole(value))
    return stats


def _losses(recording: Recording, stats: dict[str, tuple[str, list[int]]]) -> list[str]:
    found = []
    for name, (severity, values) in stats.items():
        total = sum(values)
        if name in losses.STATS:
            found.append(f"{total} {losses.STATS[name]} ({name})")
        elif name == _SETUP_ERRORS and recording.capture is None:
            found.append(f"{total} events could not be recorded ({name})")
        elif name in _COMPACT_SKIPPED and total > _cpus(recording):
            found.append(f"{total} compact scheduling events skipped ({name})")
        elif severity == "data_loss" and name not in losses.STATS:
            found.append(f"the trace processor counts {total} of {name}")
    return found


def _cpus(recording: Recording) -> int:
    ((count,),) = recording.session.rows("SELECT COUNT(*) FROM cpu")
    return whole(count)


def _missing_ends(
    recording: Recording, facts: FileFacts, stats: dict[str, tuple[str, list[int]]]
) -> list[str]:
    """Closing rows that are not there."""
    if facts.kind != "perfetto":
        return []
    capture = recording.capture
    backend = None if capture is None else capture.get(names.CAPTURE_BACKEND)
    found = []
    if _has_ftrace(recording, stats) and not _closed(recording, "ftrace_cpu_*_end"):
        found.append(losses.NO_FTRACE_END)
    if backend == "perfetto" and not _closed(recording, "traced_buf_*"):
        found.append(losses.NO_BUFFER_END)
    return found


def _has_ftrace(recording: Recording, stats: dict[str, tuple[str, list[int]]]) -> bool:
    if _closed(recording, "ftrace_cpu_*_begin"):
        return True
    return bool(recording.session.rows("SELECT 1 FROM ftrace_event LIMIT 1")) or recording.has_sched


def _closed(recording: Recording, glob: str) -> bool:
    rows: list[tuple[Cell, ...]] = recording.session.rows(
        f"SELECT 1 FROM stats WHERE name GLOB '{glob}' AND idx IS NOT NULL LIMIT 1"
    )
    return bool(rows)
