"""Figures of a campaign: each from a tidy frame of `analysis.report.frames` to a plotly figure.

They carry no colours of a page but those of their marks, so that the page (light, dark, print)
and a notebook show the same figure.
"""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

#: After Okabe and Ito: told apart with every common colour vision, by shape as well, and 3:1
#: against a white and a dark page.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#3d85c6", "#d55e00", "#009e73", "#b5659a", "#808080"
GRID: Final = "rgba(128,128,128,0.25)"
_BAND: Final = "rgba(128,128,128,0.22)"
VERDICTS: Final = {
    "IMPROVED": (GREEN, "circle"),
    "REGRESSED": (ORANGE, "square"),
    "CHANGED": (BLUE, "diamond"),
    "SAME": (GREY, "circle-open"),
    "UNDECIDED": (GREY, "x-thin-open"),
}
#: Ratios that are labelled, as relative changes: near where the axis is short, far where it is long.
_NEAR: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
_MIDDLE: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_FAR: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_NEAR_SPAN, _MIDDLE_SPAN = 3.0, 20.0
#: A forest's axis goes no further; what lies beyond is named at its edge.
_WIDEST: Final = 50.0
#: Nor does it go further than this for the end of an interval alone: one wild metric would crush the rest.
_FAR_END: Final = 4.0
#: Multiples of the practical threshold that are labelled.
_MULTIPLES: Final = (-1000, -100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100, 1000)
_MOST_TICKS: Final = 8
_YELLOW, _SKY = "#a07800", "#2a7ab8"
_PART_COLOURS: Final = {
    "kswapd: scan, and what it compresses itself": _SKY,
    "kswapd: scan": _SKY,
    "kswapd: compress": _YELLOW,
    "direct reclaim": "#00805d",
    "compression thread": "#c25400",
    "vendor reclaim threads": "#a04e88",
}


def forest(effects: pd.DataFrame) -> go.Figure | None:
    """Relative changes of one comparison with 95 % intervals; None if no metric has one.

    ``effects`` as `frames.effects`, with an optional column ``label`` in place of the metric's
    name. Bands show the practical thresholds, violet bars what two boots of one kernel differ by.
    An estimate without an interval (few pairs) is a mark alone.
    """
    rows = effects[effects["ratio"].gt(0)]
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
    """Ends of a forest's axis: all estimates, and of the intervals what is not far off."""

    def known(*names: str) -> list[float]:
        return [edge for edge in rows[list(names)].to_numpy().ravel() if edge > 0 and math.isfinite(edge)]

    ends = [min(max(edge, 1 / _FAR_END), _FAR_END) for edge in known("ci_low", "ci_high", "floor")]
    places = [*known("ratio"), *ends]
    return max(1 / _WIDEST, min(0.9, *places)), min(_WIDEST, max(1.1, *places))


def forest_of_differences(effects: pd.DataFrame) -> go.Figure | None:
    """Changes of the metrics that can be 0, in multiples of the practical threshold; None without one.

    ``effects`` as `frames.effects`. The axis is the inverse hyperbolic sine: straight near 0,
    logarithmic further out.
    """
    chosen = effects["ratio"].isna() & effects["difference"].notna() & effects["threshold_value"].gt(0)
    rows = effects[chosen]
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


def _forest(
    rows: pd.DataFrame,
    *,
    middle: pd.Series,
    ends: tuple[pd.Series, pd.Series],
    band: tuple[pd.Series, pd.Series],
    floor: tuple[pd.Series, pd.Series],
    limits: tuple[float, float],
) -> go.Figure:
    """Marks, intervals, bands and bars of noise at the places given, a line for each row."""
    places = pd.Series(range(len(rows)), index=rows.index)
    figure = go.Figure()
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
    if floor[1].notna().any():
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
    for verdict, (colour, symbol) in VERDICTS.items():
        chosen = rows.index[(rows["verdict"] == verdict) & middle.between(*limits)]
        if len(chosen):
            below, above = ends[0][chosen], ends[1][chosen]
            figure.add_scatter(
                x=middle[chosen],
                y=places[chosen],
                mode="markers",
                name=verdict,
                marker={
                    "color": colour,
                    "symbol": symbol,
                    "size": 9,
                    "line": {"width": 2, "color": colour},
                },
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": (above - middle[chosen]).fillna(0),
                    "arrayminus": (middle[chosen] - below).fillna(0),
                    "color": colour,
                    "thickness": 2,
                    "width": 4,
                },
                text=[_effect_hover(rows.loc[index]) for index in chosen],
                hoverinfo="text",
            )
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


def _effect_hover(row: pd.Series) -> str:
    lines = [f"<b>{row['metric']}</b> {row['verdict']}", str(row["change"])]
    if pd.isna(row["difference_ci_low"]):
        lines.append(f"no interval from {row['pairs']} pairs")
    if not pd.isna(row["floor"]):
        floor = row["floor"]
        size = f"{(floor - 1) * 100:.1f} %" if not pd.isna(row["ratio"]) else f"{floor:,.3g} {row['unit']}"
        lines.append(f"A/A noise floor {size}")
    return "<br>".join(lines)


def paired(pairs: pd.DataFrame, baseline: str) -> go.Figure | None:
    """Both blocks of each pair of one metric in the order in which they ran, joined by a line.

    ``pairs`` as `frames.pairs`, of one comparison and metric. A void pair's line is dotted.
    Pairs with a kernel failure and values that are not known are left out; None without any.
    """
    rows = pairs[pairs["state"].isin(["valid", "void"])]
    known = rows[rows["baseline_value"].notna() | rows["variant_value"].notna()]
    if known.empty:
        return None
    figure = go.Figure()
    for state, dash in (("valid", "solid"), ("void", "dot")):
        x, y = _segments(known[known["state"] == state])
        if x:
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines",
                line={"color": GREY, "dash": dash, "width": 1.5},
                name="pair" if state == "valid" else "void pair",
                hoverinfo="skip",
                showlegend=state == "void",
            )
    variant = str(known["variant"].iloc[0])
    for side, name, colour, symbol in (
        ("baseline", baseline, BLUE, "circle"),
        ("variant", variant, ORANGE, "diamond"),
    ):
        shown = known[known[f"{side}_value"].notna()]
        figure.add_scatter(
            x=shown[f"{side}_index"],
            y=shown[f"{side}_value"],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9},
            name=name,
            text=[_pair_hover(row, side) for _, row in shown.iterrows()],
            hoverinfo="text",
        )
    places = known[["baseline_index", "variant_index"]].stack()
    # Few blocks would be given ticks between them.
    step = {"dtick": 1} if places.max() - places.min() < _MOST_TICKS else {"nticks": _MOST_TICKS}
    figure.update_xaxes(title_text="block, in run order", title_standoff=4, tickformat="d", **step)
    figure.update_yaxes(rangemode="tozero", nticks=6)
    return styled(figure, height=250)


def _segments(pairs: pd.DataFrame) -> tuple[list[float | None], list[float | None]]:
    """Lines from block to block, with a gap after each pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    both = pairs[pairs["baseline_value"].notna() & pairs["variant_value"].notna()]
    for _, row in both.iterrows():
        x += [row["baseline_index"], row["variant_index"], None]
        y += [row["baseline_value"], row["variant_value"], None]
    return x, y


def _pair_hover(row: pd.Series, side: str) -> str:
    change = "" if pd.isna(row["ratio"]) else f"<br>pair: {(row['ratio'] - 1) * 100:+,.1f} %"
    state = "" if row["state"] == "valid" else f" ({row['state']})"
    return (
        f"{row[f'{side}_block']}, {row['lane']}<br>pair {row['pair']}{state}:"
        f" <b>{row[f'{side}_value']:,.4g} {row['unit']}</b>{change}"
    )


def cpu_split(parts: pd.DataFrame) -> go.Figure | None:
    """CPU time of reclaim, a bar for each scenario and variant, stacked by who spent it.

    ``parts`` as `frames.cpu_parts`. None if nothing is known.
    """
    known = parts[parts["cpu_ms"].notna()]
    if known.empty:
        return None
    figure = go.Figure()
    # A number stands in its part where it fits.
    smallest = known.groupby(["scenario", "variant"])["cpu_ms"].sum().max() * 0.03
    for part, rows in known.groupby("part", sort=False):
        figure.add_bar(
            y=[list(rows["scenario"]), list(rows["variant"])],
            x=rows["cpu_ms"],
            orientation="h",
            name=str(part),
            marker={"color": _PART_COLOURS[str(part)], "line": {"width": 1, "color": "#fff"}},
            text=[f"{value:,.0f}" if value > smallest else "" for value in rows["cpu_ms"]],
            textposition="inside",
            textangle=0,
            constraintext="none",
            insidetextanchor="middle",
            insidetextfont={"color": "#fff"},
            hovertext=[
                f"{row.scenario}, {row.variant}<br>{part}: <b>{row.cpu_ms:,.1f} ms</b>"
                f" (mean of {row.blocks} blocks)"
                for row in rows.itertuples()
            ],
            hoverinfo="text",
        )
    bars = len(known[["scenario", "variant"]].drop_duplicates())
    figure.update_xaxes(title_text="CPU time in a repetition [ms]", title_standoff=6)
    figure.update_yaxes(autorange="reversed", automargin=True, dividerwidth=1, dividercolor=GRID)
    styled(figure, height=110 + 44 * bars)
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    return figure


def styled(figure: go.Figure, *, height: int) -> go.Figure:
    """What all figures have in common; the height in CSS pixels."""
    plain: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "linecolor": GREY}
    figure.update_xaxes(**plain)
    figure.update_yaxes(**plain)
    figure.update_layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 56, "r": 16, "t": 34, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "yref": "container", "y": 1.0, "yanchor": "top", "x": 0},
        showlegend=True,
        hoverlabel={"bgcolor": "#222", "bordercolor": "#222", "font": {"color": "#fff"}, "align": "left"},
    )
    return figure
