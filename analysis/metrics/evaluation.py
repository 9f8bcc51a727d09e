"""From one trace to its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.metrics.registry import FAMILIES, all_metrics, metric_named
from analysis.trace import validity
from analysis.trace.figure import Figure, unknown
from analysis.trace.framing import read_facts
from analysis.trace.recording import Recording
from analysis.trace_processor import EngineChoice, open_trace
from foundation.contract.losses import Loss
from foundation.errors import TraceError


@dataclass(frozen=True)
class TraceFigures:
    """Figures by metric, in the order of the request; kind and version of the trace processor.

    ``lost``: why a figure cannot be trusted, by metric: the trace lost data that it is computed from.
    The figure is there all the same; `known` leaves it out.
    """

    figures: dict[str, Figure]
    engine: str
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def known(self) -> dict[str, Figure]:
        """The figures, those of lost data unknown for that reason."""
        return {
            name: unknown(f"the trace lost data that it needs: {'; '.join(reasons)}")
            if figure.value is not None and (reasons := self.lost.get(name))
            else figure
            for name, figure in self.figures.items()
        }


def evaluate(
    trace: Path,
    names: Iterable[str] | None = None,
    engine: EngineChoice | None = None,
    *,
    against: Sequence[str] = (),
    lossy: bool = False,
    on_loaded: Callable[[Recording, Sequence[Loss]], None] | None = None,
) -> TraceFigures:
    """A figure for each of the metrics ``names`` (None: all).

    ``against`` holds reasons of the caller not to trust the trace. TraceError if there is one, if the
    trace cannot be read or lost what all metrics need, or if a metric needs a thread of role reclaim
    and it has none; UsageError for an unknown name; HostError without an engine. A loss that concerns
    only some metrics is in `TraceFigures.lost`. With ``lossy`` a trace that is not whole is read anyway,
    and each figure that a loss concerns carries it as a caution. ``on_loaded`` is called once with the
    loaded trace and what it lost, for results that are not one figure.
    """
    wanted = list(dict.fromkeys(all_metrics() if names is None else names))
    needed = {metric_named(name) for name in wanted}
    facts = read_facts(trace)
    if facts.damage and not lossy:
        # Before the engine reads it, which can take minutes on a damaged trace.
        raise _not_whole(trace, facts.damage)
    with open_trace(trace, engine) as session:
        recording = Recording(session, facts)
        found = validity.losses_of(recording)
        whole = [*against, *(loss.text for loss in found if loss.whole)]
        if whole and not lossy:
            raise _not_whole(trace, whole)
        lost = {
            name: reasons
            for name in wanted
            if (reasons := (*against, *validity.lost_for(recording, found, metric_named(name))))
        }
        figures: dict[str, Figure] = {}
        for family, compute in FAMILIES:
            if not needed.isdisjoint(family):
                figures |= recording.figures(compute)
        if on_loaded is not None:
            on_loaded(recording, found)
    return TraceFigures(
        {name: _cautioned(figures[name], lost.get(name, ())) for name in wanted}, str(session.engine), lost
    )


def _cautioned(figure: Figure, lost: Sequence[str]) -> Figure:
    if figure.value is None:
        return figure
    caution = f"the trace is not whole: {'; '.join(lost)}" if lost else None
    return Figure(figure.value, _joined(figure.reason, caution))


def _not_whole(trace: Path, reasons: Sequence[str]) -> TraceError:
    return TraceError(
        f"{trace}: the trace is not whole: {'; '.join(reasons)}",
        next_step="record it again, or give --lossy to see what it contains",
    )


def _joined(reason: str | None, caution: str | None) -> str | None:
    return "; ".join(part for part in (reason, caution) if part) or None
