"""distributions.parquet and timelines.parquet: the details of every repetition, beside metrics.parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
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


def read(root: Path) -> dict[str, Detail]:
    """Details of earlier judgements by the hash of the trace.

    Only those that are in both files; empty where one is missing, damaged, or of another layout.
    """
    rows = _grouped(root / DISTRIBUTIONS_FILE, _DISTRIBUTIONS, "distribution")
    courses = _grouped(root / TIMELINES_FILE, _TIMELINES, "series")
    return {
        digest: Detail(
            tuple(_distribution(name, table) for name, table in found.items()),
            tuple(_series(name, table) for name, table in courses[digest].items()),
        )
        for digest, found in rows.items()
        if digest in courses
    }


def write(root: Path, measured: Iterable[tuple[RowKey, bool, Measured]]) -> None:
    """Replace both files; where no repetition has details, nothing is written. OSError."""
    known = [
        (asdict(key) | {"rep_valid": valid, "trace_sha256": one.trace_sha256}, one.detail)
        for key, valid, one in measured
        if one.detail is not None
    ]
    if not known:
        return
    _write(
        root / DISTRIBUTIONS_FILE,
        _DISTRIBUTIONS,
        [
            (
                about,
                "distribution",
                one.name,
                one.unit,
                one.reason,
                {"value": one.values, "count": one.counts},
            )
            for about, detail in known
            for one in detail.distributions
        ],
    )
    _write(
        root / TIMELINES_FILE,
        _TIMELINES,
        [
            (about, "series", one.name, one.unit, one.reason, {"t_s": one.times_s, "value": one.values})
            for about, detail in known
            for one in detail.series
        ],
    )


def _write(
    path: Path,
    schema: pa.Schema,
    parts: list[tuple[dict[str, Any], str, str, str, str | None, dict[str, Any]]],
) -> None:
    tables = [schema.empty_table()]
    for about, kind, name, unit, reason, columns in parts:
        length = max(1, len(columns["value"]))
        content = about | {kind: name, "unit": unit, "reason": reason}
        arrays = {key: pa.array([value] * length) for key, value in content.items()}
        for key, values in columns.items():
            # A row without a value says that the name is known, and why there is none.
            arrays[key] = pa.array(values) if len(values) else pa.nulls(1, pa.float64())
        tables.append(pa.table([arrays[field.name].cast(field.type) for field in schema], schema=schema))
    with replacing(path) as partial:
        pq.write_table(pa.concat_tables(tables), partial, compression="zstd", compression_level=9)


def _grouped(path: Path, schema: pa.Schema, kind: str) -> dict[str, dict[str, pa.Table]]:
    """Rows by trace and name, both in the order of the file."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if not table.schema.equals(schema):
        return {}
    digests, names = (table.column(name).to_pylist() for name in ("trace_sha256", kind))
    found: dict[str, dict[str, pa.Table]] = {}
    begin = 0
    for end in range(1, len(table) + 1):
        if end == len(table) or (digests[end], names[end]) != (digests[begin], names[begin]):
            found.setdefault(digests[begin], {})[names[begin]] = table.slice(begin, end - begin)
            begin = end
    return found


def _columns(table: pa.Table, *wanted: str) -> list[np.ndarray[Any, Any]]:
    known = table.filter(pa.compute.is_valid(table.column("value")))
    return [known.column(name).to_numpy() for name in wanted]


def _facts(table: pa.Table) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = table.slice(0, 1).select(["unit", "reason"]).to_pylist()[0]
    return facts


def _distribution(name: str, table: pa.Table) -> Distribution:
    values, counts = _columns(table, "value", "count")
    facts = _facts(table)
    return Distribution(name, facts["unit"], values, counts.astype(np.int64), facts["reason"])


def _series(name: str, table: pa.Table) -> Series:
    times_s, values = _columns(table, "t_s", "value")
    facts = _facts(table)
    return Series(name, facts["unit"], times_s, values, facts["reason"])
