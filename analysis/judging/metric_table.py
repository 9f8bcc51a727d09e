"""metrics.parquet: a row for each repetition and metric, and when a row may be used again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.distributions.records import Detail
from analysis.judging.columns import METRICS, schema
from analysis.trace.figure import Figure
from foundation.files import replacing

_ROOT: Final = Path(__file__).parents[2]
#: What decides a figure besides the trace and the engine.
_DEFINING: Final = (
    "analysis/metrics",
    "analysis/distributions",
    "analysis/sql",
    "analysis/trace",
    "foundation/contract/conventions.py",
    "foundation/contract/cpu_time.py",
    "foundation/contract/losses.py",
    "foundation/contract/packets.py",
    "foundation/contract/threads.py",
)

_SCHEMA: Final = schema(METRICS)


@dataclass(frozen=True)
class Measured:
    """All figures of one trace, what is wrong with it, and what made them.

    ``trace_sha256`` is of the file that was read; ``engine_sha256`` of the trace processor
    that was chosen; both are empty where no trace was read. ``detail`` is kept in files of
    its own, and is None for figures that were kept without it.
    """

    figures: Mapping[str, Figure]
    trace_reasons: tuple[str, ...]
    trace_sha256: str
    engine: str
    engine_sha256: str
    definitions: str
    detail: Detail | None = None


@dataclass(frozen=True)
class RowKey:
    """Where a repetition stands in the campaign; the index columns of the table."""

    block: str
    index: int
    scenario: str
    variant: str
    pair: int
    rep: int


@functools.cache
def definitions_hash() -> str:
    """SHA-256 over the sources that define the metrics: other definitions, other figures."""
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
    """What an earlier judgement computed, by the hash of the trace.

    Empty for a missing or damaged file, or one of another layout: it can all be computed again.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if not table.schema.equals(_SCHEMA):
        return {}
    figures: dict[str, dict[str, Figure]] = {}
    made: dict[str, dict[str, object]] = {}
    for row in table.to_pylist():
        digest = row["trace_sha256"]
        if not digest or (row["value"] is None and not row["reason"]):
            continue
        figures.setdefault(digest, {})[row["metric"]] = Figure(row["value"], row["reason"])
        made[digest] = row
    return {
        digest: Measured(
            figures=found,
            trace_reasons=tuple(made[digest]["trace_reasons"] or ()),  # type: ignore[arg-type]
            trace_sha256=digest,
            engine=str(made[digest]["engine"]),
            engine_sha256=str(made[digest]["engine_sha256"]),
            definitions=str(made[digest]["definitions"]),
        )
        for digest, found in figures.items()
    }


def write(
    path: Path,
    measured: Iterable[tuple[RowKey, bool, Measured]],
    units: Mapping[str, str],
) -> None:
    """Replace the table at once. ``units`` is by metric, and gives their order."""
    rows: list[dict[str, object]] = []
    for key, valid, one in measured:
        for metric, unit in units.items():
            figure = one.figures[metric]
            rows.append(
                {
                    **asdict(key),
                    "metric": metric,
                    "value": figure.value,
                    "unit": unit,
                    "reason": figure.reason,
                    "rep_valid": valid,
                    "trace_reasons": list(one.trace_reasons),
                    "trace_sha256": one.trace_sha256,
                    "engine": one.engine,
                    "engine_sha256": one.engine_sha256,
                    "definitions": one.definitions,
                }
            )
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), partial)


def usable(
    measured: Measured | None,
    metrics: Sequence[str],
    *,
    engine_sha256: str | None,
    definitions: str | None,
) -> bool:
    """Whether stored figures answer the question: all metrics, the same definitions and engine.

    ``engine_sha256`` or ``definitions`` None: the caller does not mind which made them.
    """
    return (
        measured is not None
        and definitions in (None, measured.definitions)
        and engine_sha256 in (None, measured.engine_sha256)
        and all(name in measured.figures for name in metrics)
    )
