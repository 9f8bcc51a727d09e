"""distributions.parquet and timelines.parquet: the details of every repetition, next to metrics.parquet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.distributions.records import Detail, Distribution, Series
from analysis.judging.columns import DISTRIBUTIONS, TIMELINES, schema
from foundation.contract.results import DISTRIBUTIONS_FILE, TIMELINES_FILE
from foundation.files import replacing

if TYPE_CHECKING:
    from analysis.judging.metric_table import Measured, RowKey

_DISTRIBUTIONS: Final = schema(DISTRIBUTIONS)
_TIMELINES: Final = schema(TIMELINES)

#: Name, unit, reason, and the rows that have a value.
_Run = tuple[str, str, str | None, pa.Table]


def read(root: Path) -> dict[str, Detail]:
    """Details of earlier judgements by the hash of the trace.

    Only those that are in both files; empty if one is missing, damaged, or of another layout.
    """
    distributions = _read(root / DISTRIBUTIONS_FILE, _DISTRIBUTIONS, "distribution")
    series = _read(root / TIMELINES_FILE, _TIMELINES, "series")
    return {
        digest: Detail(
            tuple(
                Distribution(name, unit, rows["value"].to_numpy(), rows["count"].to_numpy(), reason)
                for name, unit, reason, rows in runs
            ),
            tuple(
                Series(name, unit, rows["t_s"].to_numpy(), rows["value"].to_numpy(), reason)
                for name, unit, reason, rows in series[digest]
            ),
        )
        for digest, runs in distributions.items()
        if digest in series
    }


def write(root: Path, measured: Iterable[tuple[RowKey, bool, Measured]]) -> None:
    """Replace both files; writes nothing if no repetition has details. OSError."""
    known = [
        (asdict(key) | {"rep_valid": valid, "trace_sha256": one.trace_sha256}, one.detail)
        for key, valid, one in measured
        if one.detail is not None
    ]
    if not known:
        return
    distributions = (
        (
            key | {"distribution": one.name, "unit": one.unit, "reason": one.reason},
            {"value": one.values, "count": one.counts},
        )
        for key, detail in known
        for one in detail.distributions
    )
    series = (
        (
            key | {"series": one.name, "unit": one.unit, "reason": one.reason},
            {"t_s": one.times_s, "value": one.values},
        )
        for key, detail in known
        for one in detail.series
    )
    _write(root / DISTRIBUTIONS_FILE, _DISTRIBUTIONS, distributions)
    _write(root / TIMELINES_FILE, _TIMELINES, series)


def _write(
    path: Path, schema: pa.Schema, parts: Iterable[tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]]
) -> None:
    """Each part has cells that are the same in all of its rows, and columns that are not."""
    tables = [schema.empty_table()]
    for cells, columns in parts:
        length = max(1, len(columns["value"]))
        arrays = {name: pa.array([cell] * length) for name, cell in cells.items()}
        for name, values in columns.items():
            # A row without a value shows that the name is known, and why there is none.
            arrays[name] = pa.array(values) if len(values) else pa.nulls(1, pa.float64())
        tables.append(pa.table([arrays[field.name].cast(field.type) for field in schema], schema=schema))
    with replacing(path) as partial:
        pq.write_table(pa.concat_tables(tables), partial, compression="zstd", compression_level=9)


def _read(path: Path, schema: pa.Schema, kind: str) -> dict[str, list[_Run]]:
    """Adjoining rows of one name, by trace; both in the order of the file."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if not table.schema.equals(schema):
        return {}
    runs: dict[str, list[_Run]] = {}
    columns = (table.column(name).to_pylist() for name in ("trace_sha256", kind, "unit", "reason"))
    keys = list(zip(*columns, strict=True))
    for (digest, name, unit, reason), rows in itertools.groupby(range(len(keys)), keys.__getitem__):
        indices = list(rows)
        run = table.slice(indices[0], len(indices))
        values = run.filter(pa.compute.is_valid(run.column("value")))
        runs.setdefault(digest, []).append((name, unit, reason, values))
    return runs
