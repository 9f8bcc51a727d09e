"""Timelines of one typical pair: how it is chosen, its values, and their figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from analysis import frames
from analysis.judging.judgement import Judgement
from analysis.judging.pairing import BlockFigures, Pair, RepetitionFigures
from analysis.judging.wording import number
from analysis.report.details import NO_PAIR, Absent, valid_repetitions, why_no_detail
from analysis.report.page_figure import PageFigure, figure_id
from analysis.report.style import GREY, sides, styled

#: Titles of the lanes of a timeline, in order.
LANES: Final = {
    "kswapd_cpu_share": "kswapd on a CPU",
    "compression_cpu_share": "compression thread on a CPU",
    "queue_pages": "pages queued",
    "free_memory_mb": "free memory",
    "psi_memory_some_share": "memory pressure (PSI some)",
    "direct_reclaim_tasks": "stalled in direct reclaim",
}
#: Polled levels. The queue may also come from its events, and then has many more points.
_LEVELS: Final = ("free_memory_mb", "queue_pages")
_FEW: Final = 100
#: Height of a lane, and within it of the title and of the gap below.
_LANE_PX, _TITLE_PX, _GAP_PX = 100, 22, 8
_COURSE: Final = ("variant", "block", "rep", "series", "unit", "t_s", "value", "reason")


def course_figure(judgement: Judgement, prefix: str, scenario: str, variant: str) -> PageFigure | Absent:
    """Timelines of both sides of one typical pair."""
    title = f"One pair in {scenario}: {variant} against {judgement.campaign.baseline.name}"
    chosen = typical(judgement, scenario, variant)
    if isinstance(chosen, str):
        return Absent(title, chosen)
    series = course(chosen)
    figure = timelines(series, judgement.campaign.baseline.name)
    if figure is None:
        return Absent(title, "None of these quantities was recorded.")
    blocks = " and ".join(
        f"{one.block.name}/rep-{one.repetition.index}" for one in (chosen.baseline, chosen.variant)
    )
    return PageFigure(
        id=figure_id(prefix, "course"),
        title=title,
        alt=f"{blocks}. Means over the repetition: {_means_text(series)}",
        figure=figure,
        frame=series.drop(columns=["block", "rep"]),
        note=f"{blocks}: {chosen.words}.",
    )


def _means_text(course: pd.DataFrame) -> str:
    """Time-weighted mean of each series, both variants."""
    parts = []
    for name, lane in LANES.items():
        rows = course[(course["series"] == name) & course["value"].notna()]
        means = []
        for variant, own in rows.groupby("variant", sort=False):
            weights = own["t_s"].diff().shift(-1).fillna(0)
            if weights.sum() > 0:
                mean = float((own["value"] * weights).sum() / weights.sum())
                means.append(f"{variant} {number(mean)}")
        if means:
            parts.append(f"{lane} {', '.join(means)} {rows['unit'].iloc[0]}")
    return "; ".join(parts)


@dataclass(frozen=True)
class Typical:
    """The pair whose change is nearest to the estimate, and in words how it was chosen."""

    pair: Pair
    baseline: RepetitionFigures
    variant: RepetitionFigures
    words: str


def typical(judgement: Judgement, scenario: str, variant: str) -> Typical | str:
    """The pair whose timelines are drawn, or why there is none.

    Of the valid pairs with timelines of both variants, the one whose change in the first primary
    metric is nearest to the estimate over all pairs; the lower number if two are equally near. Each
    of its blocks is represented by its first valid repetition.
    """
    pairs = [pair for pair in judgement.pairs[scenario, variant] if pair.state == "valid"]
    if not pairs:
        return NO_PAIR
    drawn = [(pair, *sides) for pair in pairs if (sides := _both(pair)) is not None]
    if not drawn:
        return why_no_detail([one for _, _, one in valid_repetitions(judgement, scenario, variant)])
    name = next(iter((*judgement.campaign.primaries, *judgement.metrics)), "")
    row = judgement.row(scenario, name, variant) if name else None
    estimate = row.change if row else None
    if row is None or estimate is None:
        pair, first, second = drawn[0]
        return Typical(pair, first, second, f"pair {pair.number}, the first valid one")
    of_pairs = frames.pairs(judgement, [name], [(scenario, variant)])
    changes = dict(zip(of_pairs["pair"], of_pairs[estimate.scale], strict=True))

    def distance(pair: Pair) -> float:
        change = changes[pair.number]
        if estimate.scale == "ratio":
            return abs(math.log(change) - math.log(estimate.value)) if change > 0 else math.inf
        return math.inf if math.isnan(change) else abs(change - estimate.value)

    pair, first, second = min(drawn, key=lambda one: (distance(one[0]), one[0].number))
    if math.isinf(distance(pair)):
        shown = "unknown"
    elif estimate.scale == "ratio":
        shown = f"{(changes[pair.number] - 1) * 100:+,.1f} %"
    else:
        shown = f"{number(changes[pair.number], sign=True)} {row.question.metric.unit}"
    words = (
        f"pair {pair.number}, of {len(pairs)} valid pairs the one whose change in {name} ({shown})"
        f" is nearest to the estimate over all pairs ({row.change_text()})"
    )
    return Typical(pair, first, second, words)


def course(chosen: Typical) -> pd.DataFrame:
    """Timelines of a typical pair, a row for each value.

    Columns: variant, block, rep, series (as in `distributions.names.SERIES`), unit, t_s (from the
    start of the measured window), value (as in timelines.parquet) and reason. An unknown series is
    one row with a reason and no value.
    """
    rows: list[tuple[Any, ...]] = []
    for one in (chosen.baseline, chosen.variant):
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


def timelines(course: pd.DataFrame, baseline: str) -> go.Figure | None:
    """Timelines of both repetitions of a pair, a lane for each quantity, on one time axis.

    ``course`` is the result of the function of that name. The title of a lane gives the reason if a
    variant has no values in it. None if all values are unknown.
    """
    known = course[course["value"].notna()]
    if known.empty:
        return None
    lanes = [name for name in LANES if (course["series"] == name).any()]
    drawn = [name for name in lanes if (known["series"] == name).any()]
    height = _LANE_PX * len(drawn) + _TITLE_PX * (len(lanes) - len(drawn))
    figure = go.Figure()
    upper = 1.0
    for name in lanes:
        rows = course[course["series"] == name]
        axis = str(drawn.index(name) + 1) if name in drawn[1:] else ""
        missing = _add_lane(figure, name, rows, axis, sides(course, baseline))
        top = upper - _TITLE_PX / height
        upper = upper - _LANE_PX / height if name in drawn else top
        note = f"   <i>{'; '.join(missing)}</i>" if missing else ""
        figure.add_annotation(
            text=f"<b>{LANES[name]}</b> [{rows['unit'].iloc[0]}]{note}",
            xref="paper",
            yref="paper",
            x=0,
            y=top,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 12},
        )
        if name in drawn:
            largest = float(rows["value"].max())
            place = {
                "domain": [max(0.0, upper + _GAP_PX / height), top],
                "range": [0, largest * 1.08 if largest > 0 else 1],
                "nticks": 4,
                "anchor": "x",
                "fixedrange": True,
            }
            figure.update_layout({f"yaxis{axis}": place})
    last = "" if len(drawn) == 1 else str(len(drawn))
    figure.update_xaxes(
        range=[0, float(known["t_s"].max())],
        anchor=f"y{last}",
        title_text="time in the repetition [s]",
        title_standoff=4,
    )
    styled(figure, height=90 + height)
    figure.update_xaxes(
        showspikes=True, spikemode="across", spikethickness=1, spikecolor=GREY, spikedash="dot"
    )
    return figure.update_layout(
        hovermode="x unified", hoversubplots="axis", spikedistance=-1, dragmode="zoom"
    )


def _add_lane(
    figure: go.Figure, name: str, rows: pd.DataFrame, axis: str, variants: list[tuple[str, str, str]]
) -> list[str]:
    """Draw one quantity of both variants; returns the reasons of variants without it."""
    missing = []
    unit = rows["unit"].iloc[0]
    named = {trace.name for trace in figure.data}
    for variant, colour, _ in variants:
        side = rows[rows["variant"] == variant]
        shown = side[side["value"].notna()]
        if shown.empty:
            missing.append(f"{variant}: {side['reason'].iloc[0] if len(side) else 'not recorded'}")
            continue
        figure.add_scatter(
            x=shown["t_s"].round(3),
            y=shown["value"],
            # All lanes share one time axis, so that the pointer reads all of them at once.
            xaxis="x",
            yaxis=f"y{axis}",
            **_drawn_as(name, len(shown), colour),
            name=variant,
            legendgroup=variant,
            showlegend=variant not in named,
            hovertemplate=f"{variant}: <b>%{{y:,.4g}}</b> {unit}<extra>{LANES[name]}</extra>",
        )
    return missing


def _drawn_as(name: str, points: int, colour: str) -> dict[str, Any]:
    """Steps; a level polled a few times is drawn as points, as it is unknown between them."""
    if name in _LEVELS and points < _FEW:
        return {
            "mode": "lines+markers",
            "line": {"color": colour, "width": 1.4},
            "marker": {"color": colour, "size": 5},
        }
    return {"mode": "lines", "line": {"color": colour, "width": 1.4, "shape": "hv"}}
