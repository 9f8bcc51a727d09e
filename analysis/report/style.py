"""Colours of marks, and what all figures have in common.

Figures carry no colours of a page but those of their marks, so that the page (light, dark, print)
and a notebook show the same figure.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

#: After Okabe and Ito: told apart with every common colour vision, by shape as well, and 3:1
#: against a white and a dark page.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#3d85c6", "#d55e00", "#009e73", "#b5659a", "#808080"
GRID: Final = "rgba(128,128,128,0.25)"
VERDICTS: Final = {
    "IMPROVED": (GREEN, "circle"),
    "REGRESSED": (ORANGE, "square"),
    "CHANGED": (BLUE, "diamond"),
    "SAME": (GREY, "circle-open"),
    "UNDECIDED": (GREY, "x-thin-open"),
}


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


def sides(frame: pd.DataFrame, baseline: str) -> list[tuple[str, str, str]]:
    """Variants of a comparison with colour and dash, the baseline first."""
    present = set(frame["variant"])
    others = [str(variant) for variant in frame["variant"].unique() if variant != baseline]
    named = [(baseline, BLUE, "solid"), *((other, ORANGE, "dash") for other in others)]
    return [side for side in named if side[0] in present]
