"""A judged campaign as frames: a row for each repetition, block, pair or verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.frames.columns import BLOCKS, PAIRS
from analysis.judging.columns import DISTRIBUTIONS, METRICS, TIMELINES, VERDICTS, WITH_VOIDS, Columns
from analysis.judging.records import verdict_record
from foundation.contract.measured_on import check_comparable
from foundation.contract.results import DISTRIBUTIONS_FILE, METRICS_FILE, TIMELINES_FILE
from foundation.errors import ResultsError

if TYPE_CHECKING:
    from analysis.judging.judgement import Judgement, VerdictRow
    from analysis.judging.pairing import BlockFigures, Pair
    from foundation.contract.metric import Metric


def repetitions(judgement: Judgement) -> pd.DataFrame:
    """metrics.parquet: a row for each repetition and metric, columns of `METRICS`.

    ResultsError if the file is missing or was not written by `judge`.
    """
    return _read(judgement.campaign.root / METRICS_FILE, METRICS)


def distributions(judgement: Judgement) -> pd.DataFrame:
    """distributions.parquet: single latencies of each repetition, columns of `DISTRIBUTIONS`.

    ResultsError as `repetitions`; a folder judged without its traces may not have the file.
    """
    return _read(judgement.campaign.root / DISTRIBUTIONS_FILE, DISTRIBUTIONS)


def timelines(judgement: Judgement) -> pd.DataFrame:
    """timelines.parquet: values over time of each repetition, columns of `TIMELINES`; errors as above."""
    return _read(judgement.campaign.root / TIMELINES_FILE, TIMELINES)


def _read(path: Path, columns: Columns) -> pd.DataFrame:
    next_step = "move metrics.parquet away, and judge the folder again with its traces"
    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path} cannot be read", next_step=next_step) from error
    if list(frame.columns) != list(columns):
        raise ResultsError(f"{path} has another layout", next_step=next_step)
    return frame


def verdicts(judgement: Judgement, only: Sequence[VerdictRow] | None = None) -> pd.DataFrame:
    """A row for each scenario, metric and variant: columns of `VERDICTS`, ``with_voids`` flattened.

    ``only``: these rows; None: all of them.
    """
    rows: list[dict[str, Any]] = []
    for row in judgement.rows if only is None else only:
        fields = verdict_record(row)
        for name, value in fields.pop("with_voids").items():
            fields[f"with_voids_{name}"] = value
        rows.append(fields)
    plain = [name for name in VERDICTS if name != "with_voids"]
    return _frame(rows, [*plain, *(f"with_voids_{name}" for name in WITH_VOIDS)])


#: The table of all verdicts omits text and flags that follow from the numbers of a row.
_CSV: Final = (
    *("scenario", "metric", "baseline", "variant", "verdict", "primary", "unit", "scale"),
    *("ratio", "ci_low", "ci_high", "ci_level", "difference", "difference_ci_low", "difference_ci_high"),
    *("p", "p_holm", "pairs", "planned", "voids", "baseline_median", "variant_median"),
)


def verdicts_csv(campaigns: Mapping[str, Judgement]) -> str:
    """The verdicts of several campaigns as one CSV table; numbers have six significant digits."""
    check_comparable({name: judgement.campaign for name, judgement in campaigns.items()})
    frame = together({name: verdicts(judgement) for name, judgement in campaigns.items()})
    text: str = frame[["campaign", *_CSV]].to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


def blocks(judgement: Judgement) -> pd.DataFrame:
    """A row for each finished block in run order: columns of `BLOCKS`."""
    return _typed([_block(judgement.blocks[index]) for index in sorted(judgement.blocks)], BLOCKS)


def _block(figures: BlockFigures) -> dict[str, Any]:
    block = figures.block
    release = block.identity.get("release")
    return {
        "block": block.name,
        "index": block.index,
        "scenario": block.place.scenario,
        "variant": block.place.variant,
        "pair": block.place.pair,
        "outcome": block.outcome,
        "counts": block.outcome == "valid" and not figures.void_reasons,
        "reasons": list(figures.void_reasons),
        "failure": (block.failure or "").strip().partition("\n")[0] or None,
        "started_utc": pd.Timestamp(block.started_utc),
        "boot_id": block.boot_id,
        "release": None if release is None else str(release),
        "repetitions": len(figures.repetitions),
        "valid_repetitions": sum(not one.void_reasons for one in figures.repetitions),
    }


def pairs(
    judgement: Judgement,
    metrics: Sequence[str] | None = None,
    comparisons: Sequence[tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """A row for each comparison, metric and pair: columns of `PAIRS`.

    ``metrics`` and ``comparisons`` (scenario, variant) select; None: all of them. The verdict is
    computed from the values of the valid pairs.
    """
    rows: list[dict[str, Any]] = []
    for scenario, variant in comparisons or judgement.pairs:
        for metric in (judgement.metrics[name] for name in metrics or judgement.metrics):
            head = {"scenario": scenario, "variant": variant, "metric": metric.name, "unit": metric.unit}
            rows += [head | _pair(pair, metric) for pair in judgement.pairs[scenario, variant]]
    return _typed(rows, PAIRS)


def _pair(pair: Pair, metric: Metric) -> dict[str, Any]:
    row: dict[str, Any] = {"pair": pair.number, "state": pair.state, "lane": None}
    reasons = list(pair.reasons)
    for side, figures in (("baseline", pair.baseline), ("variant", pair.variant)):
        if figures is None:
            row |= {f"{side}_block": None, f"{side}_index": None, f"{side}_value": None}
            reasons.append("the block is not finished")
            continue
        figure = figures.value(metric, with_voids=pair.state == "void")
        row |= {
            "lane": figures.block.place.lane,
            f"{side}_block": figures.block.name,
            f"{side}_index": figures.block.index,
            f"{side}_value": figure.value,
        }
        reasons += [figure.reason] if figure.value is None and figure.reason else []
    first, second = row["baseline_value"], row["variant_value"]
    return row | {
        "difference": None if first is None or second is None else second - first,
        "ratio": second / first if first and second is not None else None,
        "reason": next(iter(reasons), None),
    }


def together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames of several campaigns as one; the first column ``campaign`` has the campaign's name."""
    named = [frame.assign(campaign=name) for name, frame in frames.items()]
    joined = pd.concat(named, ignore_index=True)
    return joined[["campaign", *joined.columns.drop("campaign")]]


def _typed(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """A frame of these columns; numbers that may be unknown are float64 (NaN), never objects."""
    frame = _frame(rows, list(columns))
    numbers = [name for name, column in columns.items() if column.type.startswith("number")]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=pd.Index(columns))
