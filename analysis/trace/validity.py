"""What a trace lost: marks by name, missing ends, contradictions, each with the data that it concerns.

Nothing here looks at a metric. A trace that lost scheduling events yields less kswapd time, and
nothing in that figure shows the loss: such data are rejected, not repaired.
"""

from __future__ import annotations

from collections.abc import Iterable

from analysis.trace.recording import Recording, as_int
from analysis.trace.schedstat import disagreements
from foundation.contract import conventions as names
from foundation.contract import losses
from foundation.contract.loss_readings import Reading, reading_of
from foundation.contract.losses import EVERYTHING, FTRACE, NOTHING, Data, Loss, loss_of_line, lost
from foundation.contract.metric import Metric
from foundation.contract.service_stats import stale_statistics


def losses_of(recording: Recording) -> list[Loss]:
    """What the trace lost, as far as a metric may need it; empty if it is whole.

    TraceError if the file cannot be read, or its window is missing, cut or not the only one.
    """
    found = [lost(text, EVERYTHING) for text in recording.file.damage]
    found += [*_marks(recording), *_missing_ends(recording)]
    noted = str((recording.capture or {}).get(names.CAPTURE_LOSS) or "")
    known = {loss.text for loss in found}
    found += [
        loss for line in noted.splitlines() if line and (loss := loss_of_line(line)).text not in known
    ]
    begin, end = recording.bounds
    window = recording.window
    if not begin <= window.begin < window.end <= end:
        found.append(lost("the repetition is not inside the recording", EVERYTHING))
    found += [lost(line, FTRACE) for line in disagreements(recording)]
    return [one for loss in found if (one := _of_use(recording, loss)).data]


def lost_for(recording: Recording, found: Iterable[Loss], metric: Metric) -> tuple[str, ...]:
    """Why ``metric`` cannot be trusted in this trace: the losses that concern what it is computed from."""
    needed = losses.data_of(metric.needs)
    if needed & {"counters"} and _exact(recording, metric):
        needed -= {"counters"}
    return tuple(loss.text for loss in found if loss.whole or needed & set(loss.data))


def _exact(recording: Recording, metric: Metric) -> bool:
    """Whether the suite itself read the counters of the metric, at the edges of the window."""
    if not recording.window.of_suite:
        return False
    wanted = {names.vmstat(key) for key in metric.needs.vmstat}
    wanted |= {names.meminfo_kb(key) for key in metric.needs.meminfo}
    read = (recording.counters[name] for name in wanted if name in recording.counters)
    return all(counter.exact for counter in read)


def _of_use(recording: Recording, loss: Loss) -> Loss:
    """The loss with what the suite wrote itself replaced by what that means: all of a suite's trace."""
    if "suite" not in loss.data or loss.whole:
        return loss
    if recording.window.of_suite:
        return lost(loss.text, EVERYTHING)
    return lost(loss.text, set(loss.data) - {"suite"})


def _marks(recording: Recording) -> list[Loss]:
    totals: dict[tuple[str, str, int | None], int] = {}
    query = "SELECT name, severity, idx, value FROM stats WHERE value != 0"
    for name, severity, index, value in recording.session.rows(query):
        reading = reading_of(str(name), str(severity))
        if reading is None or not reading.data:
            continue
        single = reading.of_buffer or reading.of_cpu
        number = as_int(index) if single and index is not None else None
        if reading.of_cpu and number is not None and _outside(recording, number):
            continue
        # One mark for all places whose loss concerns the same data.
        key = (str(name), str(severity), number if reading.of_buffer else None)
        totals[key] = totals.get(key, 0) + as_int(value)
    found: dict[tuple[str, frozenset[Data]], int] = {}
    for (name, severity, number), total in totals.items():
        reading = reading_of(name, severity)
        data = NOTHING if reading is None else _data(recording, reading, number)
        if data:
            found[name, data] = found.get((name, data), 0) + total
    return [lost(_text(name, total), data) for (name, data), total in found.items()]


def _text(name: str, total: int) -> str:
    reading = reading_of(name, "error")
    return f"{total} {reading.text} ({name})" if reading else f"{total} of {name}"


def _data(recording: Recording, reading: Reading, buffer: int | None) -> frozenset[Data]:
    if buffer is None or not reading.of_buffer:
        return reading.data
    return recording.file.buffers.get(buffer, reading.data)


def _outside(recording: Recording, cpu: int) -> bool:
    window = recording.window
    return recording.file.stretches.outside(cpu, (window.begin, window.end))


def _missing_ends(recording: Recording) -> list[Loss]:
    """Statistics that Perfetto writes when a recording stops, and that are not there or too old."""
    if recording.file.kind != "perfetto":
        return []
    stats, window = recording.file.stats_time, recording.window
    of_perfetto = (recording.capture or {}).get(names.CAPTURE_BACKEND) == "perfetto"
    stale = stale_statistics(stats, window.end) if of_perfetto and stats.seen else []
    missing = []
    if _has_ftrace(recording) and not _has_stats(recording, "ftrace_cpu_*_end"):
        died = of_perfetto and stats.seen and not stale
        missing.append(losses.RECORDER_DIED if died else losses.NO_FTRACE_END)
    if of_perfetto and not _has_stats(recording, "traced_buf_*"):
        missing.append(losses.NO_BUFFER_END)
    return [*missing, *stale]


def _has_ftrace(recording: Recording) -> bool:
    return (
        _has_stats(recording, "ftrace_cpu_*_begin")
        or bool(recording.session.rows("SELECT 1 FROM ftrace_event LIMIT 1"))
        or recording.has_sched
    )


def _has_stats(recording: Recording, glob: str) -> bool:
    query = f"SELECT 1 FROM stats WHERE name GLOB '{glob}' AND idx IS NOT NULL LIMIT 1"
    return bool(recording.session.rows(query))
