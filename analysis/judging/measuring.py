"""From the trace of a repetition to its figures: checked, computed once, used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.distributions import Detail, detail_of
from analysis.judging.metric_table import Measured, definitions_hash, usable
from analysis.metrics.evaluation import evaluate
from analysis.trace.figure import unknown
from analysis.trace_processor.choice import find_engine
from foundation.contract.results import Repetition
from foundation.errors import TraceError
from foundation.files import cached_sha256_of

if TYPE_CHECKING:
    from analysis.trace.recording import Recording
    from analysis.trace_processor import EngineChoice


class Measuring:
    """Figures of repetitions, from ``stored`` where trace, engine and definitions are the same."""

    def __init__(
        self, metrics: Sequence[str], stored: Mapping[str, Measured], engine: EngineChoice | None
    ) -> None:
        self._metrics = tuple(metrics)
        self._stored = stored
        self._engine = engine

    def has(self, repetition: Repetition) -> bool:
        """Whether no trace need be loaded for this repetition (its hash is not checked here)."""
        trace = repetition.trace_path
        return not trace.is_file() or self._kept(repetition.trace.sha256, trace) is not None

    def measure(self, repetition: Repetition) -> Measured:
        """The figures, all of them unknown where the trace is missing, changed or unreadable.

        A trace is the evidence. Without it the stored figures of the same hash are used,
        also those of older definitions, which then say so themselves (`Measured.definitions`);
        a file with another hash than was recorded is never read. HostError without an engine.
        """
        trace = repetition.trace
        if not repetition.trace_path.is_file():
            kept = self._stored.get(trace.sha256)
            if usable(kept, self._metrics, engine_sha256=None, definitions=None) and kept is not None:
                return kept
            return nothing_measured(self._metrics, "the trace is missing, and no figures of it are kept")
        found = cached_sha256_of(repetition.trace_path)
        if found != trace.sha256:
            return nothing_measured(
                self._metrics,
                f"the trace is not the one recorded: SHA-256 {found[:12]}.., not {trace.sha256[:12]}..",
            )
        path = repetition.trace_path
        return self._kept(found, path) or measured(path, found, self._metrics, self._engine)

    def _kept(self, digest: str, trace: Path) -> Measured | None:
        """Stored figures of these definitions, and of the engine asked for where one is."""
        kept = self._stored.get(digest)
        engine = None if self._engine is None else find_engine(self._engine, trace.stat().st_size).sha256
        return (
            kept
            if usable(kept, self._metrics, engine_sha256=engine, definitions=definitions_hash())
            else None
        )


def measured(trace: Path, digest: str, metrics: Sequence[str], choice: EngineChoice | None) -> Measured:
    """Figures of a trace whose SHA-256 is ``digest``; HostError without an engine."""
    from analysis.trace_processor import EngineChoice

    engine = choice or EngineChoice.parse(None)
    engine_sha256 = find_engine(engine, trace.stat().st_size).sha256
    details: list[Detail] = []

    def watch(recording: Recording) -> None:
        details.append(detail_of(recording))

    reasons: tuple[str, ...] = ()
    try:
        found = evaluate(trace, metrics, engine, watch=watch)
    except TraceError as error:
        reasons = (_without_path(error, trace),)
        try:
            # What a lossy trace holds is kept for the comparison with voids.
            found = evaluate(trace, metrics, engine, lossy=True, watch=watch)
        except TraceError:
            return nothing_measured(metrics, *reasons, digest=digest, engine_sha256=engine_sha256)
    detail = details[0] if details else None
    made_by = found.engine if metrics else ""
    return Measured(found.figures, reasons, digest, made_by, engine_sha256, definitions_hash(), detail)


def nothing_measured(
    metrics: Sequence[str], *reasons: str, digest: str = "", engine_sha256: str = ""
) -> Measured:
    """Every figure unknown for the first of the reasons."""
    figures = {name: unknown(reasons[0]) for name in metrics}
    return Measured(figures, reasons, digest, "", engine_sha256, definitions_hash())


def _without_path(error: TraceError, trace: Path) -> str:
    """The error's text; the same folder elsewhere gives the same text."""
    return error.what.replace(f"{trace}: ", "").replace(str(trace), trace.name)
