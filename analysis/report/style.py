"""Colours of marks, and the common style of all figures.

Figures set the colours of their marks only, so that the same figure fits a light, dark or printed page
and a notebook.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

#: After Okabe and Ito: distinguishable with colour vision deficiencies, and with a contrast of 3:1 on
#: white and dark pages. Verdicts differ in shape too.
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
    """Apply the common style to ``figure`` and return it; ``height`` in CSS pixels."""
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
