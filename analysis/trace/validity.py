"""Whether a trace can be judged at all: losses by name, missing ends, contradictions.

Nothing here looks at a metric. A trace that lost scheduling events yields less kswapd time, and
nothing in that figure shows the loss: such a trace is rejected, not repaired.
"""

from __future__ import annotations

from typing import Final

from analysis.trace.recording import Recording, as_int
from analysis.trace.schedstat import disagreements
from foundation.contract import conventions as names
from foundation.contract import losses

#: Events that the kernel refused to enable. The suite's own traces list them
#: (`conventions.CAPTURE_MISSING_EVENTS`), and the metrics that need them give that reason.
_SETUP_ERRORS: Final = "ftrace_setup_errors"
#: compact_sched cannot encode the first event of a CPU: one for each CPU is not a loss.
_COMPACT_SKIPPED: Final = ("compact_sched_switch_skipped", "compact_sched_waking_skipped")


def reasons(recording: Recording) -> list[str]:
    """Reasons why a trace is not whole; empty if it can be judged.

    TraceError if the file cannot be read, or its window is missing, cut or not the only one.
    """
    faults = [*recording.file.damage, *_losses(recording), *_missing_ends(recording)]
    loss = str((recording.capture or {}).get(names.CAPTURE_LOSS) or "")
    faults += [line for line in loss.splitlines() if line and line not in faults]
    begin, end = recording.bounds
    window = recording.window
    if not begin <= window.begin < window.end <= end:
        faults.append("the repetition is not inside the recording")
    return faults + disagreements(recording)


def _losses(recording: Recording) -> list[str]:
    totals: dict[tuple[str, str, int], int] = {}
    query = "SELECT name, severity, (SELECT COUNT(*) FROM cpu), value FROM stats WHERE value != 0"
    for name, severity, cpus, value in recording.session.rows(query):
        key = (str(name), str(severity), as_int(cpus))
        totals[key] = totals.get(key, 0) + as_int(value)
    lost = []
    for (name, severity, cpus), total in totals.items():
        if name in losses.STATS:
            lost.append(f"{total} {losses.STATS[name]} ({name})")
        elif name == _SETUP_ERRORS and recording.capture is None:
            lost.append(f"{total} events could not be recorded ({name})")
        elif name in _COMPACT_SKIPPED and total > cpus:
            lost.append(f"{total} compact scheduling events skipped ({name})")
        elif severity == "data_loss":
            lost.append(f"the trace processor counts {total} of {name}")
    return lost


def _missing_ends(recording: Recording) -> list[str]:
    """Statistics that Perfetto writes when a recording stops, and that are not there."""
    if recording.file.kind != "perfetto":
        return []
    missing = []
    if _has_ftrace(recording) and not _has_stats(recording, "ftrace_cpu_*_end"):
        missing.append(losses.NO_FTRACE_END)
    backend = (recording.capture or {}).get(names.CAPTURE_BACKEND)
    if backend == "perfetto" and not _has_stats(recording, "traced_buf_*"):
        missing.append(losses.NO_BUFFER_END)
    return missing


def _has_ftrace(recording: Recording) -> bool:
    return (
        _has_stats(recording, "ftrace_cpu_*_begin")
        or bool(recording.session.rows("SELECT 1 FROM ftrace_event LIMIT 1"))
        or recording.has_sched
    )


def _has_stats(recording: Recording, glob: str) -> bool:
    query = f"SELECT 1 FROM stats WHERE name GLOB '{glob}' AND idx IS NOT NULL LIMIT 1"
    return bool(recording.session.rows(query))
