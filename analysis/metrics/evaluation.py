"""From one trace to its figures."""

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
    """Figures by metric, in the order of the request; kind and version of the trace processor."""

    figures: dict[str, Figure]
    engine: str


def evaluate(
    trace: Path,
    names: Iterable[str] | None = None,
    engine: EngineChoice | None = None,
    *,
    against: Sequence[str] = (),
    lossy: bool = False,
    on_loaded: Callable[[Recording], None] | None = None,
) -> TraceFigures:
    """A figure for each of the metrics ``names`` (None: all).

    ``against`` holds reasons of the caller not to trust the trace. TraceError if there is one, if the
    trace cannot be read or is not whole, or if a metric needs a thread of role reclaim and it has
    none; UsageError for an unknown name; HostError without an engine. With ``lossy`` a trace that is
    not whole is read anyway, and every figure carries the reasons as a caution. ``on_loaded`` is
    called once with the loaded trace, for results that are not one figure.
    """
    wanted = list(dict.fromkeys(all_metrics() if names is None else names))
    needed = {metric_named(name) for name in wanted}
    facts = read_facts(trace)
    if facts.damage and not lossy:
        # Before the engine reads it, which can take minutes on a damaged trace.
        raise _not_whole(trace, facts.damage)
    with open_trace(trace, engine) as session:
        recording = Recording(session, facts)
        reasons = [*against, *validity.reasons(recording)]
        if reasons and not lossy:
            raise _not_whole(trace, reasons)
        figures: dict[str, Figure] = {}
        for family, compute in FAMILIES:
            if not needed.isdisjoint(family):
                figures |= recording.figures(compute)
        if on_loaded is not None:
            on_loaded(recording)
    caution = f"the trace is not whole: {'; '.join(reasons)}" if reasons else None
    return TraceFigures(
        {name: Figure(figures[name].value, _joined(figures[name].reason, caution)) for name in wanted},
        str(session.engine),
    )


def _not_whole(trace: Path, reasons: Sequence[str]) -> TraceError:
    return TraceError(
        f"{trace}: the trace is not whole: {'; '.join(reasons)}",
        next_step="record it again, or give --lossy to see what it contains",
    )


def _joined(reason: str | None, caution: str | None) -> str | None:
    return "; ".join(part for part in (reason, caution) if part) or None
