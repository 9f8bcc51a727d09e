"""A figure as a part of the page: drawn when it scrolls into view, with its data as CSV and table."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup, escape


@dataclass(frozen=True)
class PageFigure:
    """One figure for the template.

    ``alt`` describes its content in words; ``frame`` is offered as CSV and as a table.
    """

    id: str
    title: str
    alt: str
    figure: go.Figure
    frame: pd.DataFrame
    note: str = ""
    wide: bool = True

    def __html__(self) -> str:
        """The ``<figure>`` element; it needs plotly.js and page.js, which the page contains once."""
        height = int(self.figure.layout.height or 300)
        title = escape(self.title)
        note = f'<span class="note">{escape(self.note)}</span>' if self.note else ""
        tools = "".join(
            f'<button type="button" data-do="{what}" aria-label="{escape(description)}: {title}"{state}>'
            f"{label}</button>"
            for what, label, description, state in (
                ("table", "Table", "Show the numbers as a table", ' aria-expanded="false"'),
                ("csv", "CSV", "Download the data as CSV", ""),
                ("svg", "SVG", "Download the picture as SVG", ""),
            )
        )
        return (
            f'<figure class="plot{" wide" if self.wide else ""}" id="{self.id}">'
            f'<figcaption><span class="title">{title}</span>{note}</figcaption>'
            f'<div class="canvas" role="img" aria-label="{title}. {escape(self.alt)}"'
            f' style="height:{height}px"></div>'
            f'<div class="tools">{tools}</div>'
            f'<script type="application/json">{self._spec()}</script></figure>'
        )

    def _spec(self) -> Markup:
        content = _rounded(json.loads(self.figure.to_json()))
        content["table"] = {
            "columns": list(self.frame.columns),
            "runs": [_runs([_cell(value) for value in self.frame[name]]) for name in self.frame.columns],
        }
        return Markup(script_json(content))


def script_json(content: object) -> str:
    """JSON for the inside of a script element: no text from a device can close the element."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def figure_id(*parts: str) -> str:
    """An id made of these parts that is also a valid file name."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")


def _rounded(content: Any) -> Any:
    """Numbers cut to the digits that a figure can show; this saves two thirds of the bytes."""
    if isinstance(content, float):
        return float(f"{content:.6g}")
    if isinstance(content, list):
        return [_rounded(one) for one in content]
    if isinstance(content, dict):
        return {key: _rounded(one) for key, one in content.items()}
    return content


def _runs(values: list[Any]) -> list[Any]:
    """A column, run-length encoded as [a, 3, b, 1]; page.js decodes it."""
    runs: list[Any] = []
    for value in values:
        if runs and runs[-2] == value and type(runs[-2]) is type(value):
            runs[-1] += 1
        else:
            runs += [value, 1]
    return runs


def _cell(value: Any) -> Any:
    if value is None or (not isinstance(value, (str, list, tuple)) and pd.isna(value)):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return float(f"{value:.6g}") if isinstance(value, float) else value
