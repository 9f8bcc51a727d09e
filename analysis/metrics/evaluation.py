"""One trace to its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.metrics.registry import FAMILIES, all_metrics, metric_named
from analysis.trace import validity
from analysis.trace.figure import Figure
from analysis.trace.framing import read_facts
from analysis.trace.recording import Recording
from analysis.trace_processor import EngineChoice, open_trace
from foundation.errors import TraceError


@dataclass(frozen=True)
class TraceFigures:
    """Figures by metric, in the order asked for; kind and version of the trace processor."""

    figures: dict[str, Figure]
    engine: str


def evaluate(
    trace: Path,
    wanted: Iterable[str] | None = None,
    engine: EngineChoice | None = None,
    *,
    against: Sequence[str] = (),
    lossy: bool = False,
    watch: Callable[[Recording], None] | None = None,
) -> TraceFigures:
    """A figure for each wanted metric (None: every one).

    ``against`` is what the caller already knows against the trace. TraceError if there is
    anything, if the trace cannot be read or is not whole, or if it has no thread of role reclaim
    where one is asked for; UsageError for an unknown name; HostError without an engine. With
    ``lossy`` a trace that is not whole is read all the same, and every figure carries the reasons
    as a caution. ``watch`` is called once with the loaded trace, for what is not one figure.
    """
    names = list(dict.fromkeys(all_metrics() if wanted is None else map(_known, wanted)))
    facts = read_facts(trace)
    if facts.damage and not lossy:
        # Before the engine sees it: a damaged trace can take it minutes.
        raise _not_whole(trace, facts.damage)
    with open_trace(trace, engine) as session:
        recording = Recording(session, facts)
        reasons = [*against, *validity.reasons(recording)]
        if reasons and not lossy:
            raise _not_whole(trace, reasons)
        figures: dict[str, Figure] = {}
        for family, compute in FAMILIES:
            if any(metric.name in names for metric in family):
                figures |= recording.figures(compute)
        if watch is not None:
            watch(recording)
    caution = f"the trace is not whole: {'; '.join(reasons)}" if reasons else None
    return TraceFigures(
        {name: Figure(figures[name].value, _joined(figures[name].reason, caution)) for name in names},
        str(session.engine),
    )


def _known(name: str) -> str:
    return metric_named(name).name


def _not_whole(trace: Path, reasons: Sequence[str]) -> TraceError:
    return TraceError(
        f"{trace}: the trace is not whole: {'; '.join(reasons)}",
        next_step="record it again, or give --lossy to see what it holds",
    )


def _joined(reason: str | None, caution: str | None) -> str | None:
    return "; ".join(part for part in (reason, caution) if part) or None
