"""Effects of one comparison: their frame, the two forest plots, and their text."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from analysis import frames
from analysis.judging.columns import WITH_VOIDS
from analysis.judging.judgement import Judgement, VerdictRow
from analysis.report.page_figure import PageFigure, figure_id
from analysis.report.style import GREY, PURPLE, VERDICTS, styled

_EFFECTS: Final = ("ratio", "ci_low", "ci_high", "difference", "difference_ci_low", "difference_ci_high")
_FOREST_COLUMNS: Final = (
    *("metric", "unit", "verdict", "primary", *_EFFECTS, "threshold", "threshold_value", "floor"),
    *("p", "p_holm", "pairs", "baseline_median", "variant_median"),
)
_BAND: Final = "rgba(128,128,128,0.22)"
#: Ratios that are labelled, as relative changes: near where the axis is short, far where it is long.
_NEAR: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
_MIDDLE: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_FAR: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_NEAR_SPAN, _MIDDLE_SPAN = 3.0, 20.0
#: Limit of a forest's axis as a ratio; an estimate beyond it is written at the edge.
_WIDEST: Final = 50.0
#: Limit of the axis for the end of an interval alone: one wild metric would squeeze all others.
_FAR_END: Final = 4.0
#: Multiples of the practical threshold that are labelled.
_MULTIPLES: Final = (-1000, -100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100, 1000)


def forests(judgement: Judgement, prefix: str, scenario: str, variant: str) -> tuple[PageFigure, ...]:
    """Forest plots of relative changes and of metrics that can be 0; empty figures are omitted."""
    frame = effects(judgement, scenario, variant)
    ratios = frame["ratio"].gt(0)
    drawn = (
        ("ratios", "Relative change", forest(frame), frame[ratios]),
        (
            "differences",
            "Metrics that can be 0, in practical thresholds",
            forest_of_differences(frame),
            frame[~ratios & frame["difference"].notna()],
        ),
    )
    return tuple(
        PageFigure(
            id=figure_id(prefix, "effects", name),
            title=f"{title}, {variant} against {judgement.campaign.baseline.name}, {scenario}",
            alt=_forest_alt(rows),
            figure=figure,
            frame=rows[list(_FOREST_COLUMNS)],
        )
        for name, title, figure, rows in drawn
        if figure is not None
    )


def _forest_alt(rows: pd.DataFrame) -> str:
    counts = rows["verdict"].value_counts()
    words = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if word in counts)
    primaries = "; ".join(
        f"{row.metric} {row.change}: {row.verdict}" for row in rows[rows["primary"]].itertuples()
    )
    return f"Estimates and intervals of {len(rows)} metrics: {words}. {primaries}"


def effects(judgement: Judgement, scenario: str, variant: str) -> pd.DataFrame:
    """A row for each metric of one comparison, in the order of the verdicts.

    Columns: those of `frames.verdicts` except cautions and ``with_voids``, then ``change`` (the effect
    as text) and ``floor``: the typical difference between two boots of one kernel on the row's scale
    (a ratio above 1, or a difference in ``unit``), NaN without an A/A comparison.
    """
    rows = [row for row in judgement.rows if (row.scenario, row.variant) == (scenario, variant)]
    left_out = ["cautions", *(f"with_voids_{name}" for name in WITH_VOIDS)]
    frame = frames.verdicts(judgement, rows).drop(columns=left_out)
    return frame.assign(
        change=[row.change_text() for row in rows], floor=[_floor(judgement, row) for row in rows]
    ).astype(dict.fromkeys((*_EFFECTS, "threshold_value", "floor"), "float64"))


def _floor(judgement: Judgement, row: VerdictRow) -> float:
    floor = judgement.floor(row)
    if floor is None:
        return math.nan
    return math.exp(floor.typical) if floor.scale == "ratio" else floor.typical


def forest(frame: pd.DataFrame) -> go.Figure | None:
    """Relative changes of one comparison with 95 % intervals; None if no metric has one.

    ``frame`` as `effects`, with an optional column ``label`` to show instead of the metric's name.
    Bands show the practical thresholds, violet bars the noise floor. An estimate without an interval
    (too few pairs) is drawn as a mark only.
    """
    rows = frame[frame["ratio"].gt(0)]
    if rows.empty:
        return None
    low, high = _reach(rows)
    span = high / low
    wanted = _NEAR if span < _NEAR_SPAN else _MIDDLE if span < _MIDDLE_SPAN else _FAR
    ticks = [tick for tick in wanted if low * 0.9 <= tick <= high * 1.1]
    figure = _forest(
        rows,
        middle=rows["ratio"],
        ends=(rows["ci_low"], rows["ci_high"]),
        band=(1 / (1 + rows["threshold"]), 1 + rows["threshold"]),
        floor=(1 / rows["floor"], rows["floor"]),
        limits=(low, high),
    )
    figure.update_xaxes(
        type="log",
        range=[math.log10(low) - 0.02, math.log10(high) + 0.02],
        tickvals=ticks,
        ticktext=["no change" if tick == 1 else f"{(tick - 1) * 100:+,.0f} %" for tick in ticks],
        tickangle=0,
    )
    figure.add_vline(x=1, line_width=1, line_color=GREY)
    return figure


def _reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of a forest's axis: all estimates, and interval ends unless they are far away."""

    def known(*names: str) -> list[float]:
        return [edge for edge in rows[list(names)].to_numpy().ravel() if edge > 0 and math.isfinite(edge)]

    ends = [min(max(edge, 1 / _FAR_END), _FAR_END) for edge in known("ci_low", "ci_high", "floor")]
    places = [*known("ratio"), *ends]
    return max(1 / _WIDEST, min(0.9, *places)), min(_WIDEST, max(1.1, *places))


def forest_of_differences(frame: pd.DataFrame) -> go.Figure | None:
    """Changes of metrics that can be 0, in multiples of the practical threshold; None without any.

    ``frame`` as `effects`. The axis is an inverse hyperbolic sine: linear near 0, logarithmic
    further out.
    """
    rows = frame[frame["ratio"].isna() & frame["difference"].notna() & frame["threshold_value"].gt(0)]
    if rows.empty:
        return None
    unit = rows["threshold_value"]

    def place(values: pd.Series) -> pd.Series:
        return (values / unit).map(math.asinh)

    names = ["difference", "difference_ci_low", "difference_ci_high"]
    widest = max(place(rows[name]).abs().max() for name in names if rows[name].notna().any())
    far = max(math.asinh(2), min(math.asinh(1000), widest * 1.05))
    figure = _forest(
        rows,
        middle=place(rows["difference"]),
        ends=(place(rows["difference_ci_low"]), place(rows["difference_ci_high"])),
        band=(place(-unit), place(unit)),
        floor=(place(-rows["floor"]), place(rows["floor"])),
        limits=(-far, far),
    )
    ticks = [tick for tick in _MULTIPLES if abs(math.asinh(tick)) <= far]
    figure.update_xaxes(
        range=[-far * 1.05, far * 1.05],
        tickvals=[math.asinh(tick) for tick in ticks],
        ticktext=["0" if tick == 0 else f"{tick:+d}×" for tick in ticks],
        tickangle=0,
        title_text="change, in practical thresholds",
        title_standoff=6,
    )
    figure.add_vline(x=0, line_width=1, line_color=GREY)
    return figure


Side = tuple[pd.Series, pd.Series]


def _forest(
    rows: pd.DataFrame,
    *,
    middle: pd.Series,
    ends: Side,
    band: Side,
    floor: Side,
    limits: tuple[float, float],
) -> go.Figure:
    """Marks, intervals, bands and noise bars at the given places, a line for each row."""
    places = pd.Series(range(len(rows)), index=rows.index)
    figure = go.Figure()
    _add_bands(figure, places, band, limits)
    if floor[1].notna().any():
        _add_floors(figure, places, floor, limits)
    for verdict in VERDICTS:
        inside = rows.index[(rows["verdict"] == verdict) & middle.between(*limits)]
        if len(inside):
            _add_marks(figure, verdict, rows.loc[inside], places[inside], middle[inside], ends)
    for index in rows.index[~middle.between(*limits)]:
        right = middle[index] > limits[1]
        figure.add_annotation(
            x=1 if right else 0,
            xref="paper",
            y=places[index],
            xanchor="right" if right else "left",
            showarrow=False,
            text=f"{rows.loc[index, 'change']} →" if right else f"← {rows.loc[index, 'change']}",
        )
    figure.update_yaxes(
        tickvals=list(places),
        ticktext=[
            f"<b>{name}</b>" if primary else name
            for name, primary in zip(rows.get("label", rows["metric"]), rows["primary"], strict=True)
        ],
        range=[len(rows) - 0.4, -0.6],
        automargin=True,
    )
    return styled(figure, height=110 + 22 * len(rows))


def _add_bands(figure: go.Figure, places: pd.Series, band: Side, limits: tuple[float, float]) -> None:
    """Draw the practical thresholds."""
    for left, right, place in zip(*band, places, strict=True):
        figure.add_shape(
            type="rect",
            x0=max(left, limits[0]),
            x1=min(right, limits[1]),
            y0=place - 0.38,
            y1=place + 0.38,
            fillcolor=_BAND,
            line_width=0,
            layer="below",
        )
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        name="too small to matter",
        marker={"symbol": "square", "size": 12, "color": _BAND},
    )


def _add_floors(figure: go.Figure, places: pd.Series, floor: Side, limits: tuple[float, float]) -> None:
    """Draw the noise floor."""
    x: list[float | None] = []
    y: list[float | None] = []
    for left, right, place in zip(*floor, places, strict=True):
        if right > left:
            x += [max(left, limits[0]), min(right, limits[1]), None]
            y += [place, place, None]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name="A/A noise floor",
        line={"color": PURPLE, "width": 7},
        opacity=0.45,
        hoverinfo="skip",
    )


def _add_marks(
    figure: go.Figure, verdict: str, rows: pd.DataFrame, places: pd.Series, middle: pd.Series, ends: Side
) -> None:
    """Draw the estimates with one verdict, and their intervals."""
    colour, symbol = VERDICTS[verdict]
    below, above = ends[0][rows.index], ends[1][rows.index]
    figure.add_scatter(
        x=middle,
        y=places,
        mode="markers",
        name=verdict,
        marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2, "color": colour}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (above - middle).fillna(0),
            "arrayminus": (middle - below).fillna(0),
            "color": colour,
            "thickness": 2,
            "width": 4,
        },
        text=[_effect_hover(rows.loc[index]) for index in rows.index],
        hoverinfo="text",
    )


def _effect_hover(row: pd.Series) -> str:
    lines = [f"<b>{row['metric']}</b> {row['verdict']}", str(row["change"])]
    if pd.isna(row["difference_ci_low"]):
        lines.append(f"no interval from {row['pairs']} pairs")
    if not pd.isna(row["floor"]):
        floor = row["floor"]
        size = f"{(floor - 1) * 100:.1f} %" if not pd.isna(row["ratio"]) else f"{floor:,.3g} {row['unit']}"
        lines.append(f"A/A noise floor {size}")
    return "<br>".join(lines)
