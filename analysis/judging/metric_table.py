"""metrics.parquet: a row for each repetition and metric."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.distributions.records import Detail
from analysis.judging.columns import METRICS, schema
from analysis.trace.figure import Figure
from foundation.files import replacing

_ROOT: Final = Path(__file__).parents[2]
#: What decides a figure apart from the trace and the engine.
_DEFINING: Final = (
    "analysis/metrics",
    "analysis/distributions",
    "analysis/sql",
    "analysis/trace",
    "foundation/contract/conventions.py",
    "foundation/contract/cpu_time.py",
    "foundation/contract/ftrace_bundles.py",
    "foundation/contract/loss_readings.py",
    "foundation/contract/losses.py",
    "foundation/contract/packets.py",
    "foundation/contract/service_stats.py",
    "foundation/contract/threads.py",
)

_SCHEMA: Final = schema(METRICS)


@dataclass(frozen=True)
class Measured:
    """All figures of one trace, what is wrong with it, and what made them.

    ``trace_reasons`` concern every figure; ``lost`` holds those that concern single metrics, by metric.
    ``trace_sha256`` is the hash of the file that was read, ``engine_sha256`` that of the trace processor
    that was chosen; both are empty if no trace was read. ``detail`` is stored in files of its own, and
    is None for figures that were stored without it.
    """

    figures: Mapping[str, Figure]
    trace_reasons: tuple[str, ...]
    trace_sha256: str
    engine: str
    engine_sha256: str
    definitions: str
    detail: Detail | None = None
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def has(self, metrics: Iterable[str]) -> bool:
        """Whether there is a figure, known or unknown, of each of these metrics."""
        return all(name in self.figures for name in metrics)


def told_apart(
    reasons: Mapping[str, Iterable[str]], metrics: Iterable[str]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Reasons that concern all ``metrics``, and the others by metric. ``reasons`` are by metric."""
    by_metric = {name: tuple(reasons.get(name, ())) for name in metrics}
    every = next(iter(by_metric.values()), ())
    shared = tuple(one for one in every if all(one in own for own in by_metric.values()))
    single = {name: tuple(one for one in own if one not in shared) for name, own in by_metric.items()}
    return shared, {name: own for name, own in single.items() if own}


@dataclass(frozen=True)
class RowKey:
    """Place of a repetition in the campaign; the index columns of the table."""

    block: str
    index: int
    scenario: str
    variant: str
    pair: int
    rep: int


@functools.cache
def definitions_hash() -> str:
    """SHA-256 over the sources that define the metrics: if it differs, figures may differ."""
    digest = hashlib.sha256()
    for name in _DEFINING:
        path = _ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.suffix in (".py", ".sql"):
                digest.update(f"{file.relative_to(_ROOT)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def read(path: Path) -> dict[str, Measured]:
    """Figures of an earlier judgement, by the hash of the trace.

    Empty for a missing or damaged file, or one of another layout: all of it can be recomputed.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if not table.schema.equals(_SCHEMA):
        return {}
    figures: dict[str, dict[str, Figure]] = {}
    reasons: dict[str, dict[str, list[str]]] = {}
    provenance: dict[str, tuple[str, str, str]] = {}
    for row in table.to_pylist():
        digest = row["trace_sha256"]
        if not digest or (row["value"] is None and not row["reason"]):
            continue
        figures.setdefault(digest, {})[row["metric"]] = Figure(row["value"], row["reason"])
        reasons.setdefault(digest, {})[row["metric"]] = row["trace_reasons"] or []
        provenance[digest] = row["engine"], row["engine_sha256"], row["definitions"]
    stored: dict[str, Measured] = {}
    for digest, of_trace in figures.items():
        shared, lost = told_apart(reasons[digest], of_trace)
        stored[digest] = Measured(of_trace, shared, digest, *provenance[digest], lost=lost)
    return stored


def write(path: Path, measured: Iterable[tuple[RowKey, bool, Measured]], units: Mapping[str, str]) -> None:
    """Replace the table atomically. ``units`` is by metric and in the order of the rows. OSError."""
    rows: list[dict[str, object]] = []
    for key, valid, one in measured:
        for metric, unit in units.items():
            figure, lost = one.figures[metric], one.lost.get(metric, ())
            rows.append(
                {
                    **asdict(key),
                    "metric": metric,
                    "value": figure.value,
                    "unit": unit,
                    "reason": figure.reason,
                    "rep_valid": valid and not lost,
                    "trace_reasons": [*one.trace_reasons, *lost],
                    "trace_sha256": one.trace_sha256,
                    "engine": one.engine,
                    "engine_sha256": one.engine_sha256,
                    "definitions": one.definitions,
                }
            )
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), partial)
