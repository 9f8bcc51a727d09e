"""From the trace of a repetition to its figures: checked, computed once, used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.distributions import Detail, detail_of
from analysis.judging.metric_table import Measured, definitions_hash, usable
from analysis.metrics import compute
from analysis.trace.figure import Figure, unknown
from foundation.contract.results import Repetition
from foundation.errors import TraceError
from foundation.files import known_sha256_of

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
        if not repetition.trace.path.is_file():
            return True
        return self._reuse(repetition.trace.sha256, self._wanted_engine(repetition.trace.path)) is not None

    def measure(self, repetition: Repetition) -> Measured:
        """The figures, all of them unknown where the trace is missing, changed or unreadable.

        A trace is the evidence. Without it the stored figures of the same hash are used,
        also those of older definitions, which then say so themselves (`Measured.definitions`);
        a file with another hash than was recorded is never read. HostError without an engine.
        """
        trace = repetition.trace
        if not trace.path.is_file():
            kept = self._stored.get(trace.sha256)
            if usable(kept, self._metrics, engine_sha256=None, definitions=None) and kept is not None:
                return kept
            return self._void("the trace is missing, and no figures of it are kept")
        found = known_sha256_of(trace.path)
        if found != trace.sha256:
            return self._void(
                f"the trace is not the one recorded: SHA-256 {found[:12]}.., not {trace.sha256[:12]}.."
            )
        engine_sha256 = self._wanted_engine(trace.path)
        kept = self._reuse(found, engine_sha256)
        return kept or self._compute(trace.path, found)

    def _reuse(self, digest: str, engine_sha256: str | None) -> Measured | None:
        kept = self._stored.get(digest)
        if usable(kept, self._metrics, engine_sha256=engine_sha256, definitions=definitions_hash()):
            return kept
        return None

    def _wanted_engine(self, trace: Path) -> str | None:
        from analysis.trace_processor.choice import find_engine

        return None if self._engine is None else find_engine(self._engine, trace.stat().st_size).sha256

    def _compute(self, trace: Path, digest: str) -> Measured:
        from analysis.trace_processor import EngineChoice
        from analysis.trace_processor.choice import find_engine

        engine = self._engine or EngineChoice.parse(None)
        engine_sha256 = find_engine(engine, trace.stat().st_size).sha256
        reasons: tuple[str, ...] = ()
        details: list[Detail] = []

        def watch(recording: Recording) -> None:
            details.append(detail_of(recording))

        try:
            values = compute(trace, self._metrics, engine, watch=watch)
        except TraceError as error:
            reasons = (_without_path(error, trace),)
            try:
                # What a lossy trace holds is kept for the comparison with voids.
                values = compute(trace, self._metrics, engine, lossy=True, watch=watch)
            except TraceError:
                return self._void(*reasons, digest=digest, engine_sha256=engine_sha256)
        figures = {
            value.metric: unknown(value.reason or "unknown")
            if value.value is None
            else Figure(value.value, value.reason)
            for value in values
        }
        made_by = str(values[0].engine) if values else ""
        return Measured(
            figures,
            reasons,
            digest,
            made_by,
            engine_sha256,
            definitions_hash(),
            details[0] if details else None,
        )

    def _void(self, *reasons: str, digest: str = "", engine_sha256: str = "") -> Measured:
        figures = {name: unknown(reasons[0]) for name in self._metrics}
        return Measured(figures, reasons, digest, "", engine_sha256, definitions_hash())


def _without_path(error: TraceError, trace: Path) -> str:
    """The error's text; the same folder elsewhere gives the same text."""
    return error.what.replace(f"{trace}: ", "").replace(str(trace), trace.name)
