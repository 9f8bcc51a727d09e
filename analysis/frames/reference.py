"""docs/data.md, made from the tables of columns."""

from __future__ import annotations

from typing import Final

from analysis.frames.columns import (
    AWAKE,
    BLOCKS,
    COUNTERS,
    FIGURES,
    PAIRS,
    QUEUE,
    STALLS,
    SWITCHES,
    THREADS,
)
from analysis.judging.columns import DISTRIBUTIONS, METRICS, TIMELINES, VERDICTS, WITH_VOIDS, Columns

_HEAD: Final = """# The data, column by column

Made by `python -m analysis reference data`. How to read it with pandas, DuckDB or R:
[use the data](use-the-data.md). The folder around it: [the results folder](results-folder.md).

A `?` behind a type: the cell may be empty. Empty means "cannot be known", and is never written as 0.
"""

#: Title, what a row is, and the columns.
_TABLES: Final[tuple[tuple[str, str, Columns], ...]] = (
    ("metrics.parquet", "A row for each repetition and metric.", METRICS),
    ("verdicts.json", "A list; an entry for each scenario, metric and variant.", VERDICTS),
    ("with_voids of verdicts.json", "One record in each entry.", WITH_VOIDS),
    (
        "distributions.parquet",
        "A row for each event that was kept, or one that says why there is none.",
        DISTRIBUTIONS,
    ),
    ("timelines.parquet", "A row for each step of each quantity.", TIMELINES),
    ("analysis.frames.blocks", "A row for each finished block, in run order.", BLOCKS),
    ("analysis.frames.pairs", "A row for each comparison, metric and pair.", PAIRS),
    ("analysis.frames.figures", "A row for each metric of one trace.", FIGURES),
    ("analysis.frames.TraceFrames.threads", "A row for each thread with a role in reclaim.", THREADS),
    ("analysis.frames.TraceFrames.switches", "A row for each app switch in the measured window.", SWITCHES),
    ("analysis.frames.TraceFrames.stalls", "A row for each direct reclaim in the trace.", STALLS),
    ("analysis.frames.TraceFrames.awake", "A row for each stay of kswapd awake.", AWAKE),
    ("analysis.frames.TraceFrames.queue", "A row for each change of the compression queue.", QUEUE),
    ("analysis.frames.TraceFrames.counters", "A row for each reading of a counter.", COUNTERS),
)

_FRAMES: Final = """`analysis.frames.repetitions`, `.distributions` and `.timelines` are the Parquet files
as frames, `analysis.frames.verdicts` is verdicts.json as a frame: the fields of `with_voids` are then
columns `with_voids_<field>`.
`analysis.frames.together` joins the frames of several campaigns, with a column `campaign` in front.
"""


def data_reference() -> str:
    """The page docs/data.md."""
    parts = [_HEAD]
    for title, row, columns in _TABLES:
        lines = "".join(
            f"| `{name}` | {column.type} | {column.text} |\n" for name, column in columns.items()
        )
        parts.append(f"## {title}\n\n{row}\n\n| column | type | meaning |\n|---|---|---|\n{lines}")
    return "\n".join([*parts, _FRAMES])
