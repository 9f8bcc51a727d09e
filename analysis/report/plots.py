"""The figures of the page. Each is a fragment that needs the plotly.js the page holds once."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.subplots import make_subplots

from analysis.judgement import Judgement, VerdictRow
from analysis.report.terminal import COMPANIONS
from analysis.stats.pairing import Pair

#: Okabe and Ito's palette: told apart with every common colour vision, and by shape as well.
_BLUE, _ORANGE, _GREEN, _RED, _PURPLE, _SKY, _GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#808080",
)
_VERDICT: Final = {
    "IMPROVED": (_GREEN, "circle"),
    "REGRESSED": (_RED, "square"),
    "CHANGED": (_BLUE, "diamond"),
    "SAME": (_GREY, "circle-open"),
    "UNDECIDED": (_GREY, "x-thin-open"),
}
_SPLIT: Final = (
    ("kswapd_cpu_ms", "kswapd", _SKY),
    ("compression_cpu_ms", "compression threads", _ORANGE),
    ("direct_reclaim_cpu_ms", "direct reclaim", _GREEN),
    ("vendor_reclaim_cpu_ms", "vendor reclaim threads", _PURPLE),
)
#: Ratios that are labelled on the forest plot's axis, as relative changes.
_TICKS: Final = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
#: Metrics in one figure of pairs.
_PANELS: Final = 4
_GRID: Final = "rgba(128,128,128,0.25)"


def forest(judgement: Judgement, scenario: str, variant: str) -> Markup | None:
    """Every metric with a ratio: estimate, 95 % interval, and the band that does not matter."""
    rows = [
        row
        for row in judgement.rows
        if row.scenario == scenario
        and row.variant == variant
        and row.ratio is not None
        and row.ci_low is not None
    ]
    if not rows:
        return None
    figure = go.Figure()
    for place, row in enumerate(rows):
        band = 1.0 + row.threshold
        figure.add_shape(
            type="rect",
            x0=1 / band,
            x1=band,
            y0=place - 0.4,
            y1=place + 0.4,
            fillcolor="rgba(128,128,128,0.18)",
            line_width=0,
            layer="below",
        )
    for verdict, (colour, symbol) in _VERDICT.items():
        chosen = [(place, row) for place, row in enumerate(rows) if row.verdict == verdict]
        if chosen:
            figure.add_trace(_points(chosen, verdict, colour, symbol))
    edges = [edge for row in rows for edge in (row.ci_low, row.ci_high) if edge]
    low, high = max(0.05, min(0.9, *edges)), min(20.0, max(1.1, *edges))
    ticks = [tick for tick in _TICKS if low * 0.8 <= tick <= high * 1.25]
    figure.update_xaxes(
        type="log",
        range=[math.log10(low) - 0.03, math.log10(high) + 0.03],
        tickvals=ticks,
        ticktext=["no change" if tick == 1 else f"{(tick - 1) * 100:+.0f} %" for tick in ticks],
        gridcolor=_GRID,
        zeroline=False,
    )
    figure.add_vline(x=1, line_width=1, line_color=_GREY)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[f"<b>{row.metric}</b>" if row.primary else row.metric for row in rows],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        automargin=True,
    )
    return _html(figure, f"forest-{scenario}-{variant}", height=110 + 24 * len(rows))


def _points(chosen: Sequence[tuple[int, VerdictRow]], verdict: str, colour: str, symbol: str) -> go.Scatter:
    rows = [row for _, row in chosen]
    return go.Scatter(
        x=[row.ratio for row in rows],
        y=[place for place, _ in chosen],
        mode="markers",
        name=verdict,
        marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2, "color": colour}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [(row.ci_high or 0) - (row.ratio or 0) for row in rows],
            "arrayminus": [(row.ratio or 0) - (row.ci_low or 0) for row in rows],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        text=[f"{row.metric}: {row.change_text()}" for row in rows],
        hoverinfo="text",
    )


def paired(judgement: Judgement, scenario: str, variant: str) -> tuple[Markup, ...]:
    """Block values in run order; a line joins the two blocks of a pair, dotted for a void one.

    Primaries first, a few metrics a figure, so that each fits a printed page.
    """
    pairs = judgement.pairs[scenario, variant]
    wanted = [name for name in (*judgement.campaign.primaries, *COMPANIONS) if name in judgement.metrics]
    shown = [
        name for name in dict.fromkeys(wanted) if _segments(judgement, pairs, name, ("valid", "void"))[0]
    ]
    return tuple(
        _paired(judgement, scenario, variant, shown[start : start + _PANELS], start)
        for start in range(0, len(shown), _PANELS)
    )


def _paired(judgement: Judgement, scenario: str, variant: str, shown: Sequence[str], start: int) -> Markup:
    pairs = judgement.pairs[scenario, variant]
    columns = 2 if len(shown) > 1 else 1
    lines = math.ceil(len(shown) / columns)
    titles = [f"{name} [{judgement.metrics[name].unit}]" for name in shown]
    figure = make_subplots(
        rows=lines,
        cols=columns,
        subplot_titles=titles,
        vertical_spacing=0.26 / lines if lines > 1 else 0.1,
        horizontal_spacing=0.08,
    )
    for number, name in enumerate(shown):
        where = {"row": number // columns + 1, "col": number % columns + 1}
        for states, colour, dash in ((("valid",), _GREY, "solid"), (("void",), _RED, "dot")):
            x, y = _segments(judgement, pairs, name, states)
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    line={"color": colour, "dash": dash, "width": 1.5},
                    name=f"{states[0]} pair",
                    legendgroup=states[0],
                    showlegend=number == 0 and bool(x),
                    hoverinfo="skip",
                ),
                **where,
            )
        for side, colour, symbol in (("baseline", _BLUE, "circle-open"), ("variant", _ORANGE, "diamond")):
            at, values, text = _markers(judgement, pairs, name, side)
            figure.add_trace(
                go.Scatter(
                    x=at,
                    y=values,
                    mode="markers",
                    marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2}},
                    name=judgement.campaign.baseline.name if side == "baseline" else variant,
                    legendgroup=side,
                    showlegend=number == 0,
                    text=text,
                    hoverinfo="text",
                ),
                **where,
            )
    figure.update_xaxes(gridcolor=_GRID, zeroline=False, title_text="block, in run order", title_standoff=4)
    figure.update_yaxes(gridcolor=_GRID, rangemode="tozero", zeroline=False)
    return _html(figure, f"paired-{scenario}-{variant}-{start}", height=120 + 250 * lines, head=80)


def _segments(
    judgement: Judgement, pairs: Sequence[Pair], name: str, states: Sequence[str]
) -> tuple[list[float | None], list[float | None]]:
    """Lines from block to block, with a gap after each pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    metric = judgement.metrics[name]
    for pair in pairs:
        if pair.state not in states or pair.baseline is None or pair.variant is None:
            continue
        both = sorted((pair.baseline, pair.variant), key=lambda side: side.block.index)
        values = [side.value(metric, with_voids=pair.state == "void").value for side in both]
        if None in values:
            continue
        x += [*(float(side.block.index) for side in both), None]
        y += [*values, None]
    return x, y


def _markers(
    judgement: Judgement, pairs: Sequence[Pair], name: str, side: str
) -> tuple[list[int], list[float], list[str]]:
    x: list[int] = []
    y: list[float] = []
    text: list[str] = []
    for pair in pairs:
        figures = pair.baseline if side == "baseline" else pair.variant
        if figures is None or pair.state == "kernel_failure":
            continue
        value = figures.value(judgement.metrics[name], with_voids=bool(figures.void_reasons)).value
        if value is None:
            continue
        x.append(figures.block.index)
        y.append(value)
        text.append(f"{figures.block.name}, pair {pair.number} ({pair.state}): {value:,.4g}")
    return x, y, text


def cpu_split(judgement: Judgement) -> Markup | None:
    """CPU time of reclaim by who spent it: mean over the valid blocks, so that the parts add up."""
    campaign = judgement.campaign
    bars: list[tuple[str, str]] = [
        (scenario, variant.name) for scenario in campaign.scenarios for variant in campaign.variants
    ]
    figure = go.Figure()
    known = False
    for metric, label, colour in _SPLIT:
        if metric not in judgement.metrics:
            continue
        heights = [_mean(judgement, scenario, variant, metric) for scenario, variant in bars]
        if not any(height for height in heights):
            continue
        known = True
        figure.add_trace(
            go.Bar(
                x=[[scenario for scenario, _ in bars], [variant for _, variant in bars]],
                y=heights,
                name=label,
                marker={"color": colour, "line": {"width": 1, "color": "rgba(255,255,255,0.8)"}},
                text=[f"{label} {height:,.0f}" if height else "" for height in heights],
                textposition="auto",
                insidetextfont={"color": "#111"},
                hovertemplate=f"{label}: %{{y:,.0f}} ms<extra></extra>",
            )
        )
    if not known:
        return None
    figure.update_layout(barmode="stack", bargap=0.45)
    figure.update_yaxes(title_text="CPU time in a repetition [ms]", gridcolor=_GRID)
    return _html(figure, "cpu-split", height=380)


def _mean(judgement: Judgement, scenario: str, variant: str, name: str) -> float | None:
    values = [
        value
        for figures in judgement.blocks.values()
        if figures.block.place.scenario == scenario
        and figures.block.place.variant == variant
        and figures.block.outcome == "valid"
        and not figures.void_reasons
        and (value := figures.value(judgement.metrics[name]).value) is not None
    ]
    return sum(values) / len(values) if values else None


def _html(figure: go.Figure, name: str, *, height: int, head: int = 50) -> Markup:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 60, "r": 20, "t": head, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "yref": "container", "y": 1.0, "yanchor": "top", "x": 0},
        showlegend=True,
        hoverlabel={"bgcolor": "#222", "font": {"color": "#fff"}},
    )
    config: dict[str, Any] = {"displayModeBar": False, "responsive": True, "displaylogo": False}
    text: str = figure.to_html(
        include_plotlyjs=False,
        full_html=False,
        div_id=re.sub(r"[^A-Za-z0-9]+", "-", name),
        config=config,
        include_mathjax=False,
    )
    return Markup(text)
