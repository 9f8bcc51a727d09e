"""The SQL package as Markdown, made from the comments of its modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analysis.sql import PACKAGE, modules

_HEAD: Final = f"""# PerfettoSQL: the package `{PACKAGE}`

Made from the modules in `analysis/sql/{PACKAGE}/` by `python -m analysis reference sql`. The metrics of
the suite are computed from these tables, so your query and a figure of the report mean the same.
Times are in ns of the trace's clock (CLOCK_BOOTTIME in traces of the suite).

```sql
INCLUDE PERFETTO MODULE {PACKAGE}.direct;

SELECT comm, COUNT(*) AS stalls, MAX(dur) / 1e6 AS longest_ms
FROM reclaim_direct
JOIN reclaim_thread USING (utid)
GROUP BY comm
ORDER BY longest_ms DESC;
```

| where | how to load the package |
|---|---|
| `python -m analysis open`, the UI's query page | already loaded |
| Python, `analysis.trace_processor.open_trace(PATH)` | already loaded |
| Perfetto's client, `analysis.trace_processor.client.OfflineTraceProcessor(PATH)` | already loaded |
| your own trace_processor_shell | `--add-sql-package analysis/sql/{PACKAGE}` |
"""

_MODULE_COMMENT: Final = re.compile(r"\A((?:--.*\n)+)\n")
_OBJECT: Final = re.compile(
    r"(?P<comment>(?:^--.*\n)+)^CREATE PERFETTO (?P<kind>TABLE|VIEW|FUNCTION) (?P<name>\w+)\s?\(\n"
    r"(?P<columns>(?:  .*\n)+)^\)\n(?P<returns>(?:--.*\n)+RETURNS (?P<type>\w+)\n)?AS$",
    re.MULTILINE,
)
_COLUMN: Final = re.compile(r"((?:^  --.*\n)+)^  (\w+) ([\w.()]+),?$", re.MULTILINE)


@dataclass(frozen=True)
class Column:
    """A column of a table, or an argument of a function; ``type`` as PerfettoSQL writes it."""

    name: str
    type: str
    text: str


@dataclass(frozen=True)
class SqlObject:
    """A table, view or function. ``returns`` is set for a function: type and meaning."""

    kind: str
    name: str
    text: str
    columns: tuple[Column, ...]
    returns: tuple[str, str] | None


@dataclass(frozen=True)
class Module:
    """One file of the package; ``name`` is what INCLUDE PERFETTO MODULE takes."""

    name: str
    text: str
    objects: tuple[SqlObject, ...]


def described() -> tuple[Module, ...]:
    """Every module. ValueError for one without the comments that this page is made from."""
    return tuple(_module(name, sql) for name, sql in modules().items())


def sql_reference() -> str:
    """The page docs/sql.md."""
    parts = [_HEAD]
    for module in described():
        parts.append(f"## {module.name}\n\n{module.text}\n")
        parts += [_entry(one) for one in module.objects]
    return "\n".join(parts)


def _module(name: str, sql: str) -> Module:
    head = _MODULE_COMMENT.match(sql)
    objects = tuple(_object(match.groupdict()) for match in _OBJECT.finditer(sql))
    if head is None or len(objects) != sql.count("CREATE PERFETTO "):
        raise ValueError(f"module {name}: the head or an object has no comment")
    return Module(name, _text(head[1]), objects)


def _object(parts: Mapping[str, str | None]) -> SqlObject:
    columns = tuple(
        Column(name, kind, _text(comment))
        for comment, name, kind in _COLUMN.findall(parts["columns"] or "")
    )
    lines = [line for line in (parts["columns"] or "").splitlines() if not line.lstrip().startswith("--")]
    if len(columns) != len(lines):
        raise ValueError(f"{parts['name']} has a column without a comment")
    comment = (parts["returns"] or "").rpartition("RETURNS")[0]
    returns = (str(parts["type"]), _text(comment)) if parts["returns"] else None
    return SqlObject(
        kind=str(parts["kind"]).lower(),
        name=str(parts["name"]),
        text=_text(parts["comment"] or ""),
        columns=columns,
        returns=returns,
    )


def _text(comment: str) -> str:
    return " ".join(line.strip().removeprefix("--").strip() for line in comment.splitlines()).strip()


def _entry(one: SqlObject) -> str:
    head = f"### {one.name}\n\n{one.kind.capitalize()}. {one.text}\n"
    label = "argument" if one.returns else "column"
    rows = "".join(f"| `{column.name}` | {column.type} | {column.text} |\n" for column in one.columns)
    tail = f"\nReturns {one.returns[0]}: {one.returns[1]}\n" if one.returns else ""
    return f"{head}\n| {label} | type | meaning |\n|---|---|---|\n{rows}{tail}"
