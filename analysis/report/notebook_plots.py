"""Figures that are not on the page of a campaign: of one trace, and of several campaigns.

Each function takes frames of `analysis.frames` and returns a plotly figure.
"""

from __future__ import annotations

import math
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from analysis.judging.wording import percent
from analysis.report.effects import forest
from analysis.report.style import BLUE, GREEN, GREY, ORANGE, PURPLE

_STATES: Final = {"HOT": GREEN, "WARM": PURPLE, "COLD": ORANGE}


def switch_times(switches: pd.DataFrame) -> go.Figure:
    """Launch time of each app switch in order; ``switches`` as `TraceFrames.switches`."""
    labels = pd.Series(
        [f"#{index} {app}" for index, app in zip(switches["index"], switches["package"], strict=True)],
        index=switches.index,
        dtype=str,
    )
    figure = go.Figure()
    for state, rows in switches.groupby("launch_state", sort=False):
        figure.add_bar(
            x=labels[rows.index],
            y=rows["total_time_ms"],
            name=str(state),
            marker_color=_STATES.get(str(state), GREY),
        )
    figure.update_xaxes(categoryorder="array", categoryarray=list(labels), title_text="switch")
    figure.update_yaxes(title_text="launch time [ms]")
    return _styled(figure, "Launch times", 320)


def timeline(switches: pd.DataFrame, awake: pd.DataFrame, stalls: pd.DataFrame) -> go.Figure:
    """App switches, kswapd and direct reclaim on one time axis; frames of `TraceFrames`."""
    own = stalls[~stalls["role"].isin(["reclaim", "compression"]) & stalls["dur_ms"].notna()]
    lanes = (
        ("app switch", switches["start_s"], switches["command_ms"], switches["package"], BLUE),
        ("kswapd awake", awake["start_s"], awake["dur_ms"], awake["comm"], ORANGE),
        ("direct reclaim", own["start_s"], own["dur_ms"], own["comm"], PURPLE),
    )
    figure = go.Figure()
    for name, start, length, text, colour in lanes:
        figure.add_bar(
            y=[name] * len(start),
            x=length / 1e3,
            base=start,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            hovertext=[f"{word}: {ms:,.1f} ms" for word, ms in zip(text, length, strict=True)],
            hoverinfo="text",
        )
    figure.update_layout(barmode="overlay", showlegend=False)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="time in the repetition [s]")
    return _styled(figure, "Reclaim during app switches", 260)


def queue_depth(queue: pd.DataFrame) -> go.Figure:
    """Pages in the compression queue over time; ``queue`` as `TraceFrames.queue`."""
    figure = go.Figure()
    figure.add_scatter(
        x=queue["start_s"],
        y=queue["waiting"],
        mode="lines",
        line={"shape": "hv", "width": 1, "color": BLUE},
        fill="tozeroy",
        name="waiting",
    )
    figure.update_xaxes(title_text="time in the repetition [s]")
    figure.update_yaxes(title_text="pages")
    return _styled(figure, "Pages waiting for the compression thread", 320)


def across(verdicts: pd.DataFrame) -> go.Figure:
    """Relative changes with their intervals and thresholds, a line for each row with an interval.

    ``verdicts`` as `analysis.frames.verdicts`, of one campaign or of several (`together`).
    """
    rows = verdicts[verdicts["ratio"].notna() & verdicts["ci_low"].notna()]
    parts = [name for name in ("campaign", "scenario", "variant", "metric") if name in rows.columns]
    several = [name for name in parts if name == "metric" or rows[name].nunique() > 1]
    labels = rows[several].agg(", ".join, axis="columns") if len(rows) else pd.Series(dtype=str)
    changes = [f"{percent(ratio)} %" for ratio in rows["ratio"]]
    return forest(rows.assign(label=labels, change=changes, floor=math.nan)) or go.Figure()


def _styled(figure: go.Figure, title: str, height: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "font": {"size": 15}},
        height=height,
        margin={"l": 70, "r": 20, "t": 50, "b": 50},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    return figure
