"""Figures that are not on the page of a campaign: of one trace, and of several campaigns.

Each function takes frames of `analysis.frames` and returns a plotly figure.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import plotly.graph_objects as go

from analysis.report.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERDICTS

_STATES: Final = {"HOT": GREEN, "WARM": PURPLE, "COLD": ORANGE}
#: Ratios labelled as relative changes; the far ones on a wide axis.
_NEAR: Final = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0)
_FAR: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_WIDE: Final = 5.0


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
    """Relative changes with their intervals, a line for each row with an interval.

    ``verdicts`` as `analysis.frames.verdicts`, of one campaign or of several (`together`).
    """
    rows = verdicts[verdicts["ratio"].notna() & verdicts["ci_low"].notna()]
    parts = [name for name in ("campaign", "scenario", "variant", "metric") if name in rows.columns]
    several = [name for name in parts if name == "metric" or rows[name].nunique() > 1]
    labels = rows[several].agg(", ".join, axis="columns") if len(rows) else pd.Series(dtype=str)
    figure = go.Figure()
    for verdict, (colour, symbol) in VERDICTS.items():
        own = rows[rows["verdict"] == verdict]
        if own.empty:
            continue
        figure.add_scatter(
            x=own["ratio"],
            y=labels[own.index],
            mode="markers",
            name=verdict,
            marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 2, "color": colour}},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": own["ci_high"] - own["ratio"],
                "arrayminus": own["ratio"] - own["ci_low"],
                "thickness": 1.5,
            },
        )
    figure.add_vline(x=1, line_width=1, line_color=GREY)
    wide = len(rows) > 0 and rows["ci_high"].max() / rows["ci_low"].min() > _WIDE
    ticks = _FAR if wide else _NEAR
    figure.update_xaxes(
        type="log",
        title_text="change against the baseline, with its interval",
        tickvals=ticks,
        ticktext=["no change" if tick == 1 else f"{(tick - 1) * 100:+,.0f} %" for tick in ticks],
        tickangle=0,
    )
    figure.update_yaxes(categoryorder="array", categoryarray=list(labels)[::-1], automargin=True)
    return _styled(figure, "Effects", 140 + 26 * len(rows))


def _styled(figure: go.Figure, title: str, height: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "font": {"size": 15}},
        height=height,
        margin={"l": 70, "r": 20, "t": 50, "b": 50},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    return figure
