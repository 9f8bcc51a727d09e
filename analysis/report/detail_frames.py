"""Latencies and courses as tidy frames: what the figures below the effects show, and their CSV."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from analysis.judging.judgement import Judgement, number
from analysis.judging.pairing import BlockFigures, Pair, RepetitionFigures

NOT_KEPT: Final = (
    "Single events are computed from traces, and are kept beside metrics.parquet when that is done."
    " Neither the traces nor such a table are in this folder."
)
NOT_READ: Final = (
    "The figures of this folder are kept from an earlier judgement, without single events: move"
    " metrics.parquet away and judge it again."
)
_NO_PAIR: Final = "No pair of this comparison is valid."
_LATENCIES: Final = ("variant", "block", "index", "pair", "rep", "value", "count")
_COURSE: Final = ("variant", "block", "rep", "series", "unit", "t_s", "value", "reason")
_STEPS: Final = 400
_BLOCK_STEPS: Final = 40


def latencies(judgement: Judgement, scenario: str, variant: str, name: str) -> pd.DataFrame:
    """Events of the valid repetitions of a comparison's valid pairs; ``name`` as `detail.distributions`.

    Columns: variant, block, index (place of the block in the schedule), pair, rep, value (ms)
    and count: how many events are above the value before it and up to this one. Ascending in a
    repetition. Empty without events.
    """
    rows: list[tuple[Any, ...]] = []
    for pair, side, one in _repetitions(judgement, scenario, variant):
        for found in one.measured.detail.distributions if one.measured.detail else ():
            if found.name == name:
                place = (side.block.place.variant, side.block.name, side.block.index, pair.number)
                rows += [
                    (*place, one.repetition.index, float(value), int(count))
                    for value, count in zip(found.values, found.counts, strict=True)
                ]
    return pd.DataFrame(rows, columns=pd.Index(_LATENCIES)).astype({"value": "float64", "count": "int64"})


def cumulative(events: pd.DataFrame) -> pd.DataFrame:
    """The cumulative distribution of each variant, and of each of its blocks; ``events`` as `latencies`.

    Columns: variant, block (None: all of them together), value, share (of the events up to this
    value) and events (how many there are). At most `_STEPS` rows a variant and `_BLOCK_STEPS` a
    block, the largest event always among them.
    """
    parts = []
    for variant, rows in events.groupby("variant", sort=False):
        parts.append(_steps(rows, _STEPS).assign(variant=variant, block=None))
        parts += [
            _steps(own, _BLOCK_STEPS).assign(variant=variant, block=block)
            for block, own in rows.groupby("block", sort=False)
        ]
    columns = ["variant", "block", "value", "share", "events"]
    return (
        pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=pd.Index(columns))
    )


def _steps(events: pd.DataFrame, most: int) -> pd.DataFrame:
    """value, share, events; of more than ``most`` values some of the smaller ones."""
    ordered = events.sort_values("value", kind="stable")
    total = int(ordered["count"].sum())
    steps = pd.DataFrame({"value": ordered["value"], "share": ordered["count"].cumsum() / total})
    steps = steps.drop_duplicates("value", keep="last").assign(events=total)
    if len(steps) > most:
        # The tail is what such a figure is looked at for.
        tail = most // 4
        stride = math.ceil((len(steps) - tail) / (most - tail))
        steps = pd.concat([steps.iloc[:-tail:stride], steps.iloc[-tail:]])
    return steps


def why_no_latencies(judgement: Judgement, scenario: str, variant: str, name: str) -> str:
    """Why `latencies` is empty: never recorded, not kept, or nothing happened."""
    found = [one for _, _, one in _repetitions(judgement, scenario, variant)]
    if not found:
        return _NO_PAIR
    details = [one.measured.detail for one in found if one.measured.detail is not None]
    if not details:
        return why_no_detail(found)
    reasons = {one.reason for detail in details for one in detail.distributions if one.name == name}
    told = sorted(reason for reason in reasons if reason)
    return f"{told[0][0].upper()}{told[0][1:]}." if told else "There was none in any valid repetition."


def why_no_detail(repetitions: list[RepetitionFigures]) -> str:
    """Why no repetition has single events: its trace is gone, or they were not asked for."""
    here = any(one.repetition.trace_path.is_file() for one in repetitions)
    return NOT_READ if here else NOT_KEPT


@dataclass(frozen=True)
class Typical:
    """The pair whose effect is nearest to the comparison's, and how it was chosen, in words."""

    pair: Pair
    baseline: RepetitionFigures
    variant: RepetitionFigures
    words: str


def typical(judgement: Judgement, scenario: str, variant: str) -> Typical | str:
    """The pair that a timeline is drawn of, or why there is none.

    Of the valid pairs with a timeline on both sides, the one whose change in the first primary
    metric is nearest to the estimate over all pairs; the lower number of two. Of its blocks the
    first valid repetition.
    """
    pairs = [pair for pair in judgement.pairs[scenario, variant] if pair.state == "valid"]
    if not pairs:
        return _NO_PAIR
    drawn = [(pair, *sides) for pair in pairs if (sides := _both(pair)) is not None]
    if not drawn:
        return why_no_detail([one for _, _, one in _repetitions(judgement, scenario, variant)])
    name = next(iter((*judgement.campaign.primaries, *judgement.metrics)), "")
    row = judgement.row(scenario, name, variant) if name else None
    estimate = None if row is None else row.ratio if row.ratio is not None else row.difference
    if row is None or estimate is None:
        pair, first, second = drawn[0]
        return Typical(pair, first, second, f"pair {pair.number}, the first valid one")

    def distance(pair: Pair) -> float:
        change = _change(judgement, pair, name, as_ratio=row.ratio is not None)
        return math.inf if change is None else abs(change - (math.log(estimate) if row.ratio else estimate))

    pair, first, second = min(drawn, key=lambda one: (distance(one[0]), one[0].number))
    change = _change(judgement, pair, name, as_ratio=row.ratio is not None)
    if change is None:
        shown = "not known"
    elif row.ratio is not None:
        shown = f"{math.expm1(change) * 100:+,.1f} %"
    else:
        shown = f"{number(change, sign=True)} {row.unit}"
    words = (
        f"pair {pair.number}: of {len(pairs)} valid pairs its change"
        f" in {name} ({shown}) is nearest to the estimate over all ({row.change_text()})"
    )
    return Typical(pair, first, second, words)


def course(found: Typical) -> pd.DataFrame:
    """Timelines of a typical pair, a row for each value.

    Columns: variant, block, rep, series (as `detail.names.SERIES`), unit, t_s (from the begin of
    the measured window), value (as timelines.parquet has it) and reason. A series that is not known is
    one row with a reason and no value.
    """
    rows: list[tuple[Any, ...]] = []
    for one in (found.baseline, found.variant):
        head = (one.block.place.variant, one.block.name, one.repetition.index)
        for series in one.measured.detail.series if one.measured.detail else ():
            place = (*head, series.name, series.unit)
            rows += [
                (*place, float(t), float(value), None)
                for t, value in zip(series.times_s, series.values, strict=True)
            ]
            if not len(series.values):
                rows.append((*place, math.nan, math.nan, series.reason))
    return pd.DataFrame(rows, columns=pd.Index(_COURSE)).astype({"t_s": "float64", "value": "float64"})


def _both(pair: Pair) -> tuple[RepetitionFigures, RepetitionFigures] | None:
    first, second = (None if side is None else _first(side) for side in (pair.baseline, pair.variant))
    return None if first is None or second is None else (first, second)


def _first(figures: BlockFigures) -> RepetitionFigures | None:
    return next((one for one in figures.repetitions if not one.void_reasons and one.measured.detail), None)


def _change(judgement: Judgement, pair: Pair, name: str, *, as_ratio: bool) -> float | None:
    """A pair's change: log ratio or difference; None where a value is not known."""
    metric = judgement.metrics[name]
    values = [None if side is None else side.value(metric).value for side in (pair.baseline, pair.variant)]
    first, second = values
    if first is None or second is None:
        return None
    if not as_ratio:
        return second - first
    return math.log(second / first) if first > 0 and second > 0 else None


def _repetitions(
    judgement: Judgement, scenario: str, variant: str
) -> list[tuple[Pair, BlockFigures, RepetitionFigures]]:
    """Valid repetitions of the valid pairs, baseline before variant in each pair."""
    return [
        (pair, side, one)
        for pair in judgement.pairs[scenario, variant]
        if pair.state == "valid"
        for side in (pair.baseline, pair.variant)
        if side is not None
        for one in side.repetitions
        if not one.void_reasons
    ]
