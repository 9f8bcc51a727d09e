"""What the figures of the page show, as tidy frames: also what their CSV files hold."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, Final

import pandas as pd

from analysis.judging.judgement import Judgement, VerdictRow
from analysis.judging.pairing import BlockFigures, Pair

_EFFECT_FIELDS: Final = tuple(
    field.name for field in fields(VerdictRow) if field.name not in ("cautions", "with_voids")
)
_PAIR_COLUMNS: Final = (
    "scenario",
    "variant",
    "metric",
    "unit",
    "pair",
    "state",
    "lane",
    "baseline_block",
    "variant_block",
    "baseline_index",
    "variant_index",
    "baseline_value",
    "variant_value",
    "difference",
    "ratio",
    "reason",
)
#: Who spends reclaim's CPU time; the parts do not overlap. Either the first one or the next two.
KSWAPD: Final = "kswapd: scan, and what it compresses itself"
KSWAPD_SCAN: Final = "kswapd: scan"
KSWAPD_COMPRESS: Final = "kswapd: compress"
CPU_PARTS: Final = (
    KSWAPD,
    KSWAPD_SCAN,
    KSWAPD_COMPRESS,
    "direct reclaim",
    "compression thread",
    "vendor reclaim threads",
)
_WHOLE_PARTS: Final = {
    "direct reclaim": "direct_reclaim_cpu_ms",
    "compression thread": "compression_cpu_ms",
    "vendor reclaim threads": "vendor_reclaim_cpu_ms",
}


def effects(judgement: Judgement, scenario: str, variant: str) -> pd.DataFrame:
    """A row for each metric of one comparison, in the order of the verdicts.

    Columns: the fields of `VerdictRow` but its cautions and sensitivity, then ``change`` (the
    effect as text) and ``floor``: what two boots of one kernel typically differ by, on the
    row's scale (a ratio above 1, or a difference in ``unit``), NaN without an A/A comparison.
    """
    rows = [
        {name: getattr(row, name) for name in _EFFECT_FIELDS}
        | {"change": row.change_text(), "floor": _floor(judgement, row)}
        for row in judgement.rows
        if (row.scenario, row.variant) == (scenario, variant)
    ]
    frame = pd.DataFrame(rows, columns=pd.Index([*_EFFECT_FIELDS, "change", "floor"]))
    numbers = [
        "ratio",
        "ci_low",
        "ci_high",
        "difference",
        "difference_ci_low",
        "difference_ci_high",
        "threshold_value",
        "floor",
    ]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _floor(judgement: Judgement, row: VerdictRow) -> float:
    scale = "ratio" if row.ratio is not None else "difference"
    for floor in judgement.noise_floor:
        if (floor.scenario, floor.metric, floor.scale) == (row.scenario, row.metric, scale):
            return math.exp(floor.typical) if scale == "ratio" else floor.typical
    return math.nan


def pairs(judgement: Judgement, scenario: str, variant: str, metric: str) -> pd.DataFrame:
    """A row for each planned pair of one comparison, in pair order.

    ``*_index`` is a block's place in the run order, ``*_value`` its one value (of a void pair
    with its void repetitions) in ``unit``; NaN where there is none, and ``reason`` says why.
    """
    rows = [
        {"scenario": scenario, "variant": variant, "metric": metric, "unit": judgement.metrics[metric].unit}
        | _pair(judgement, pair, metric)
        for pair in judgement.pairs[scenario, variant]
    ]
    numbers = [name for name in _PAIR_COLUMNS if name.endswith(("_index", "_value"))]
    frame = pd.DataFrame(rows, columns=pd.Index(_PAIR_COLUMNS))
    return frame.astype(dict.fromkeys([*numbers, "difference", "ratio"], "float64"))


def _pair(judgement: Judgement, pair: Pair, metric: str) -> dict[str, Any]:
    found: dict[str, Any] = {"pair": pair.number, "state": pair.state, "lane": None}
    reasons = list(pair.reasons)
    for side, figures in (("baseline", pair.baseline), ("variant", pair.variant)):
        value, reason = _value(judgement, figures, metric, void=pair.state == "void")
        reasons += [reason] if reason and value is None else []
        found |= {
            f"{side}_block": None if figures is None else figures.block.name,
            f"{side}_index": None if figures is None else figures.block.index,
            f"{side}_value": value,
        }
        if figures is not None:
            found["lane"] = figures.block.place.lane
    first, second = found["baseline_value"], found["variant_value"]
    both = first is not None and second is not None
    return found | {
        "difference": second - first if both else None,
        "ratio": second / first if both and first else None,
        "reason": next(iter(reasons), None),
    }


def _value(
    judgement: Judgement, figures: BlockFigures | None, metric: str, *, void: bool
) -> tuple[float | None, str | None]:
    if figures is None:
        return None, "the block is not finished"
    figure = figures.value(judgement.metrics[metric], with_voids=void)
    return figure.value, figure.reason


def cpu_parts(judgement: Judgement) -> pd.DataFrame:
    """CPU time of reclaim by who spent it, ms a repetition: mean over the valid blocks.

    A row for each scenario, variant and part of `CPU_PARTS` that some block spent time in, with
    the columns scenario, variant, part, cpu_ms (NaN where no valid block knows it) and blocks.
    kswapd's time is split where its calls of zram were recorded in every valid block.
    """
    campaign = judgement.campaign
    blocks = [
        (figures.block.place.scenario, figures.block.place.variant, _parts(judgement, figures))
        for figures in judgement.blocks.values()
        if figures.block.outcome == "valid" and not figures.void_reasons
    ]
    split = bool(blocks) and all(KSWAPD_COMPRESS in parts for _, _, parts in blocks)
    left_out = (KSWAPD,) if split else (KSWAPD_SCAN, KSWAPD_COMPRESS)
    rows = []
    for scenario in campaign.scenarios:
        for variant in campaign.variants:
            own = [parts for where, who, parts in blocks if (where, who) == (scenario, variant.name)]
            for part in CPU_PARTS:
                values = [parts[part] for parts in own if part in parts]
                mean = sum(values) / len(values) if values else math.nan
                rows.append((scenario, variant.name, part, mean, len(values)))
    frame = pd.DataFrame(rows, columns=pd.Index(["scenario", "variant", "part", "cpu_ms", "blocks"]))
    seen = set(frame.loc[frame["cpu_ms"].gt(0), "part"]) - set(left_out)
    return frame[frame["part"].isin(seen)].reset_index(drop=True)


def _parts(judgement: Judgement, figures: BlockFigures) -> dict[str, float]:
    """The parts that a block knows, ms."""

    def value(name: str) -> float | None:
        metric = judgement.metrics.get(name)
        return None if metric is None else figures.value(metric).value

    known = {part: value(name) for part, name in _WHOLE_PARTS.items()}
    kswapd, compressed, share = (
        value(name) for name in ("kswapd_cpu_ms", "t2_compress_ms", "t2_in_kswapd_share")
    )
    known[KSWAPD] = kswapd
    if kswapd is not None and compressed is not None and share is not None:
        known[KSWAPD_COMPRESS] = min(compressed * share, kswapd)
        known[KSWAPD_SCAN] = kswapd - min(compressed * share, kswapd)
    return {part: found for part, found in known.items() if found is not None}
