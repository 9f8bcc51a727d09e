"""Figures of single events and of the course of a repetition, from `analysis.report.detail_frames`."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.report.detail_frames import pooled
from analysis.report.plots import BLUE, GREY, ORANGE, styled

#: Titles of the lanes of a timeline, in their order.
LANES: Final = {
    "kswapd_cpu_share": "kswapd on a CPU",
    "compression_cpu_share": "compression thread on a CPU",
    "queue_pages": "pages queued",
    "direct_reclaim_tasks": "stalled in direct reclaim",
    "free_memory_mb": "free memory",
    "psi_memory_some_share": "memory pressure (PSI some)",
}
_LANE_PX: Final = 96
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
    figure = go.Figure()
    positive = events.loc[events["value"] > 0, "value"]
    low = float(positive.min()) if len(positive) else 0.1
    high = max(float(events["value"].max()), low * 1.5)
    for variant, colour, _ in _sides(events, baseline):
        rows = events[events["variant"] == variant]
        x: list[float | None] = []
        y: list[float | None] = []
        for _, block in rows.groupby("index"):
            steps = pooled(block)
            x += [low, *steps["value"].clip(lower=low), None]
            y += [0.0, *(steps["share"] * 100), None]
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
        steps = pooled(events[events["variant"] == variant])
        total = int(steps["events"].iloc[0])
        figure.add_scatter(
            x=[low, *steps["value"].clip(lower=low)],
            y=[0.0, *(steps["share"] * 100)],
            mode="lines",
            line={"color": colour, "width": 2.5, "dash": dash, "shape": "hv"},
            name=f"{variant} ({total:,} events)",
            legendgroup=variant,
            text=[
                "",
                *(
                    f"{variant}: <b>{share * 100:.1f} %</b> up to <b>{value:,.4g} ms</b>"
                    for share, value in zip(steps["share"], steps["value"], strict=True)
                ),
            ],
            hoverinfo="text",
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
    """p50, p95 and p99 of each variant: the smallest event that so many are not above."""
    steps = pooled(events)
    return {
        str(variant): tuple(
            float(rows.loc[rows["share"] >= share - 1e-12, "value"].iloc[0]) for share in _QUANTILES
        )
        for variant, rows in steps.groupby("variant", sort=False)
    }


def _ticks(low: float, high: float) -> list[float]:
    inside = [tick for tick in _TICKS if low * 0.97 <= tick <= high * 1.03]
    if len(inside) < 3:
        step = (high - low) / 4
        digits = max(0, 1 - math.floor(math.log10(step)))
        inside = sorted({round(low + step * place, digits) for place in range(5)})
        return [tick for tick in inside if tick > 0]
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
    figure = make_subplots(rows=len(lanes), cols=1, shared_xaxes=True, vertical_spacing=0.26 / len(lanes))
    length = float(known["t_s"].max())
    for line, name in enumerate(lanes, 1):
        rows = course[course["series"] == name]
        unit = str(rows["unit"].iloc[0])
        missing = []
        for variant, colour, _ in _sides(course, baseline):
            side = rows[rows["variant"] == variant]
            shown = side[side["value"].notna()]
            if shown.empty:
                missing.append(f"{variant}: {side['reason'].iloc[0] if len(side) else 'not recorded'}")
                continue
            figure.add_scatter(
                x=shown["t_s"],
                y=shown["value"],
                mode="lines",
                line={"color": colour, "width": 1.5, "shape": "hv"},
                name=variant,
                legendgroup=variant,
                showlegend=line == 1,
                hovertemplate=f"%{{y:,.4g}} {unit}<extra>{variant}</extra>",
                row=line,
                col=1,
            )
        domain = figure.get_subplot(line, 1).yaxis.domain
        note = f"   <i>{'; '.join(missing)}</i>" if missing else ""
        figure.add_annotation(
            text=f"<b>{LANES[name]}</b> [{unit}]{note}",
            xref="paper",
            yref="paper",
            x=0,
            y=domain[1],
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 12},
        )
        top = float(rows["value"].max()) if rows["value"].notna().any() else 0.0
        figure.update_yaxes(range=[0, top * 1.08 if top > 0 else 1], nticks=4, row=line, col=1)
    figure.update_xaxes(range=[0, length], showspikes=True, spikemode="across", spikethickness=1)
    figure.update_xaxes(title_text="s from the begin of the repetition", title_standoff=4, row=len(lanes))
    figure.update_layout(hovermode="x unified", spikedistance=-1)
    figure = styled(figure, height=90 + _LANE_PX * len(lanes))
    figure.update_xaxes(spikecolor=GREY, spikedash="dot")
    return figure.update_layout(margin={"t": 52})


def _sides(frame: pd.DataFrame, baseline: str) -> list[tuple[str, str, str]]:
    """Variants of a comparison with colour and dash, the baseline first."""
    present = set(frame["variant"])
    others = [str(variant) for variant in frame["variant"].unique() if variant != baseline]
    named = [(baseline, BLUE, "solid"), *((other, ORANGE, "solid") for other in others)]
    return [side for side in named if side[0] in present]
