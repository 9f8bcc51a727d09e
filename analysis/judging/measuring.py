"""From the trace of a repetition to its figures: checked, computed once, reused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.distributions import Detail, detail_of
from analysis.judging.metric_table import Measured, definitions_hash, told_apart
from analysis.metrics.evaluation import evaluate
from analysis.trace.figure import unknown
from analysis.trace_processor.choice import find_engine
from foundation.contract.results import Repetition
from foundation.errors import TraceError
from foundation.files import cached_sha256_of

if TYPE_CHECKING:
    from analysis.trace.recording import Recording
    from analysis.trace_processor import EngineChoice
    from foundation.contract.losses import Loss


class Measuring:
    """Figures of repetitions, from ``stored`` if trace, engine and definitions are the same."""

    def __init__(
        self, metrics: Sequence[str], stored: Mapping[str, Measured], engine: EngineChoice | None
    ) -> None:
        self._metrics = tuple(metrics)
        self._stored = stored
        self._engine = engine

    def has(self, repetition: Repetition) -> bool:
        """Whether this repetition needs no trace to be loaded (its hash is not checked here)."""
        trace = repetition.trace_path
        return not trace.is_file() or self._kept(repetition.trace.sha256, trace) is not None

    def measure(self, repetition: Repetition) -> Measured:
        """The figures, all of them unknown if the trace is missing, changed or unreadable.

        A trace is the evidence. Without it the stored figures of the same hash are used, even those of
        older definitions (named in `Measured.definitions`); a file whose hash differs from the recorded
        one is never read. HostError without an engine.
        """
        recorded, path = repetition.trace.sha256, repetition.trace_path
        if not path.is_file():
            kept = self._stored.get(recorded)
            if kept is not None and kept.has(self._metrics):
                return kept
            return unmeasured(self._metrics, "the trace is missing, and no figures of it are kept")
        digest = cached_sha256_of(path)
        if digest != recorded:
            why = f"the trace is not the one recorded: SHA-256 {digest[:12]}.., not {recorded[:12]}.."
            return unmeasured(self._metrics, why)
        return self._kept(digest, path) or measured(path, digest, self._metrics, self._engine)

    def _kept(self, digest: str, trace: Path) -> Measured | None:
        """Stored figures of these definitions, and of the requested engine if one is."""
        kept = self._stored.get(digest)
        if kept is None or kept.definitions != definitions_hash() or not kept.has(self._metrics):
            return None
        if self._engine is None:
            return kept
        engine_sha256 = find_engine(self._engine, trace.stat().st_size).sha256
        return kept if kept.engine_sha256 == engine_sha256 else None


def measured(trace: Path, digest: str, metrics: Sequence[str], choice: EngineChoice | None) -> Measured:
    """Figures of a trace whose SHA-256 is ``digest``; HostError without an engine."""
    from analysis.trace_processor import EngineChoice

    engine = choice or EngineChoice.parse(None)
    engine_sha256 = find_engine(engine, trace.stat().st_size).sha256
    details: list[Detail] = []

    def keep_detail(recording: Recording, losses: Sequence[Loss]) -> None:
        details.append(detail_of(recording, losses))

    try:
        evaluated = evaluate(trace, metrics, engine, on_loaded=keep_detail)
        reasons, lost = told_apart(evaluated.lost, metrics)
    except TraceError as error:
        reasons, lost = (_without_path(error, trace),), {}
        try:
            # The figures of a lossy trace are kept for the comparison with voids.
            evaluated = evaluate(trace, metrics, engine, lossy=True, on_loaded=keep_detail)
        except TraceError:
            return unmeasured(metrics, reasons[0], digest=digest, engine_sha256=engine_sha256)
    made_by = evaluated.engine if metrics else ""
    return Measured(
        evaluated.figures, reasons, digest, made_by, engine_sha256, definitions_hash(), details[0], lost
    )


def unmeasured(
    metrics: Sequence[str], reason: str, *, digest: str = "", engine_sha256: str = ""
) -> Measured:
    """Every figure unknown for this reason."""
    figures = dict.fromkeys(metrics, unknown(reason))
    return Measured(figures, (reason,), digest, "", engine_sha256, definitions_hash())


def _without_path(error: TraceError, trace: Path) -> str:
    """The error's text without the folder, so that it does not depend on where the folder is."""
    return error.what.replace(f"{trace}: ", "").replace(str(trace), trace.name)
