"""Figures of single events and of the course of a repetition, from `analysis.report.detail_frames`."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from analysis.report.detail_frames import cumulative
from analysis.report.plots import BLUE, GREY, ORANGE, styled

#: Titles of the lanes of a timeline, in their order.
LANES: Final = {
    "kswapd_cpu_share": "kswapd on a CPU",
    "compression_cpu_share": "compression thread on a CPU",
    "queue_pages": "pages queued",
    "free_memory_mb": "free memory",
    "psi_memory_some_share": "memory pressure (PSI some)",
    "direct_reclaim_tasks": "stalled in direct reclaim",
}
#: Levels, which are polled; a queue can be known from its events as well, and then in many steps.
_LEVELS: Final = ("free_memory_mb", "queue_pages")
_FEW: Final = 100
#: Of a lane, and of that its title and what is free below it.
_LANE_PX, _TITLE_PX, _GAP_PX = 100, 22, 8
_QUANTILES: Final = (0.5, 0.95, 0.99)
#: Ends of decades that are labelled on an axis of ms.
_TICKS: Final = tuple(base * 10.0**power for power in range(-4, 6) for base in (1, 2, 5))
_MOST_TICKS: Final = 9


def cdf(events: pd.DataFrame, baseline: str) -> go.Figure | None:
    """Cumulative distributions of both variants; thin lines are single blocks. None without events.

    ``events`` as `detail_frames.latencies`, of one comparison. The axis is logarithmic; what is
    not above 0 stands at its left end.
    """
    if events.empty:
        return None
    steps = cumulative(events)
    positive = steps.loc[steps["value"] > 0, "value"]
    low = float(positive.min()) if len(positive) else 0.1
    high = max(float(steps["value"].max()), low * 1.5)
    figure = go.Figure()
    for variant, colour, _ in _sides(events, baseline):
        rows = steps[(steps["variant"] == variant) & steps["block"].notna()]
        x: list[float | None] = []
        y: list[float | None] = []
        for _, block in rows.groupby("block", sort=False):
            x += [low, *block["value"].clip(lower=low), None]
            y += [0.0, *(block["share"] * 100).round(2), None]
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": colour, "width": 1, "shape": "hv"},
            opacity=0.3,
            name=f"{variant}, single blocks",
            legendgroup=variant,
            showlegend=False,
            hoverinfo="skip",
        )
    for variant, colour, dash in _sides(events, baseline):
        rows = steps[(steps["variant"] == variant) & steps["block"].isna()]
        figure.add_scatter(
            x=[low, *rows["value"].clip(lower=low)],
            y=[0.0, *(rows["share"] * 100).round(2)],
            mode="lines",
            line={"color": colour, "width": 2.5, "dash": dash, "shape": "hv"},
            name=f"{variant} ({rows['events'].iloc[0]:,})",
            legendgroup=variant,
            hovertemplate=f"{variant}: <b>%{{y:.1f}} %</b> up to <b>%{{x:,.4g}} ms</b><extra></extra>",
        )
    ticks = _ticks(low, high)
    figure.update_xaxes(
        type="log",
        range=[math.log10(low) - 0.02, math.log10(high) + 0.02],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" for tick in ticks],
        tickangle=0,
        title_text="ms",
        title_standoff=4,
    )
    figure.update_yaxes(range=[0, 101], ticksuffix=" %", nticks=6)
    return styled(figure, height=300)


def quantiles(events: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """p50, p95 and p99 of each variant: the smallest kept event that so many are not above."""
    return {
        str(variant): tuple(
            float(
                rows.loc[(rows["count"].cumsum() / rows["count"].sum()) >= share - 1e-12, "value"].iloc[0]
            )
            for share in _QUANTILES
        )
        for variant, rows in events.sort_values("value", kind="stable").groupby("variant", sort=False)
    }


def _ticks(low: float, high: float) -> list[float]:
    inside = [tick for tick in _TICKS if low * 0.97 <= tick <= high * 1.03]
    if len(inside) < 4:
        step = next(tick for tick in _TICKS if (high - low) / tick < 6)
        return [
            step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1) if place
        ]
    if len(inside) > _MOST_TICKS:
        decades = [tick for tick in inside if math.isclose(math.log10(tick) % 1, 0, abs_tol=1e-9)]
        return decades if len(decades) > 2 else inside[::2]
    return inside


def timelines(course: pd.DataFrame, baseline: str) -> go.Figure | None:
    """The course of both repetitions of a pair, a lane for each quantity, on one time axis.

    ``course`` as `detail_frames.course`. A lane that a variant does not have says why. None if
    nothing is known.
    """
    known = course[course["value"].notna()]
    if known.empty:
        return None
    lanes = [name for name in LANES if (course["series"] == name).any()]
    drawn = [name for name in lanes if (known["series"] == name).any()]
    height = _LANE_PX * len(drawn) + _TITLE_PX * (len(lanes) - len(drawn))
    figure = go.Figure()
    named: set[str] = set()
    upper = 1.0
    for name in lanes:
        rows = course[course["series"] == name]
        unit = str(rows["unit"].iloc[0])
        axis = str(drawn.index(name) + 1) if name in drawn[1:] else ""
        missing = []
        for variant, colour, _ in _sides(course, baseline):
            side = rows[rows["variant"] == variant]
            shown = side[side["value"].notna()]
            if shown.empty:
                missing.append(f"{variant}: {side['reason'].iloc[0] if len(side) else 'not recorded'}")
                continue
            figure.add_scatter(
                x=shown["t_s"].round(3),
                y=shown["value"],
                # One time axis under all lanes: the pointer reads all of them at once.
                xaxis="x",
                yaxis=f"y{axis}",
                **_drawn_as(name, len(shown), colour),
                name=variant,
                legendgroup=variant,
                showlegend=variant not in named,
                hovertemplate=f"{variant}: <b>%{{y:,.4g}}</b> {unit}<extra>{LANES[name]}</extra>",
            )
            named.add(variant)
        top = upper - _TITLE_PX / height
        note = f"   <i>{'; '.join(missing)}</i>" if missing else ""
        figure.add_annotation(
            text=f"<b>{LANES[name]}</b> [{unit}]{note}",
            xref="paper",
            yref="paper",
            x=0,
            y=top,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 12},
        )
        if name not in drawn:
            upper = top
            continue
        largest = float(rows["value"].max())
        upper -= _LANE_PX / height
        figure.update_layout(
            {
                f"yaxis{axis}": {
                    "domain": [max(0.0, upper + _GAP_PX / height), top],
                    "range": [0, largest * 1.08 if largest > 0 else 1],
                    "nticks": 4,
                    "anchor": "x",
                    "fixedrange": True,
                }
            }
        )
    last = "" if len(drawn) == 1 else str(len(drawn))
    figure.update_xaxes(
        range=[0, float(known["t_s"].max())],
        anchor=f"y{last}",
        title_text="s from the begin of the repetition",
        title_standoff=4,
    )
    styled(figure, height=90 + height)
    figure.update_xaxes(
        showspikes=True, spikemode="across", spikethickness=1, spikecolor=GREY, spikedash="dot"
    )
    return figure.update_layout(
        hovermode="x unified", hoversubplots="axis", spikedistance=-1, dragmode="zoom"
    )


def _drawn_as(name: str, points: int, colour: str) -> dict[str, Any]:
    """Steps; what was polled a few times is a level at each point, and unknown between them."""
    if name in _LEVELS and points < _FEW:
        return {
            "mode": "lines+markers",
            "line": {"color": colour, "width": 1.4},
            "marker": {"color": colour, "size": 5},
        }
    return {"mode": "lines", "line": {"color": colour, "width": 1.4, "shape": "hv"}}


def _sides(frame: pd.DataFrame, baseline: str) -> list[tuple[str, str, str]]:
    """Variants of a comparison with colour and dash, the baseline first."""
    present = set(frame["variant"])
    others = [str(variant) for variant in frame["variant"].unique() if variant != baseline]
    named = [(baseline, BLUE, "solid"), *((other, ORANGE, "dash") for other in others)]
    return [side for side in named if side[0] in present]
