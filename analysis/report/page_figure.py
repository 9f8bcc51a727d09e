"""A figure as a part of the page: drawn when it is seen, with its data beside it."""

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
    """What the template needs of one figure.

    ``alt`` says in words what it shows; ``frame`` is offered as CSV and as a table.
    """

    id: str
    title: str
    alt: str
    figure: go.Figure
    frame: pd.DataFrame
    note: str = ""
    wide: bool = True

    def __html__(self) -> str:
        """The ``<figure>`` element; it needs plotly.js and page.js, which the page holds once."""
        height = int(self.figure.layout.height or 300)
        title = escape(self.title)
        note = f'<span class="note">{escape(self.note)}</span>' if self.note else ""
        tools = "".join(
            f'<button type="button" data-do="{what}" aria-label="{escape(label)}: {title}"{state}>'
            f"{short}</button>"
            for what, short, label, state in (
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
    """JSON that may stand inside a script element: no text of a device can close it."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def figure_id(*parts: str) -> str:
    """An id of these parts that is a name of a file as well."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-")


def _rounded(content: Any) -> Any:
    """Numbers with the digits that a figure can show: a third of the bytes."""
    if isinstance(content, float):
        return float(f"{content:.6g}")
    if isinstance(content, list):
        return [_rounded(one) for one in content]
    if isinstance(content, dict):
        return {key: _rounded(one) for key, one in content.items()}
    return content


def _runs(values: list[Any]) -> list[Any]:
    """A column as values, and how often each follows itself: [a, 3, b, 1]. page.js unfolds it."""
    found: list[Any] = []
    for value in values:
        if found and found[-2] == value and type(found[-2]) is type(value):
            found[-1] += 1
        else:
            found += [value, 1]
    return found


def _cell(value: Any) -> Any:
    if value is None or (not isinstance(value, (str, list, tuple)) and pd.isna(value)):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return float(f"{value:.6g}") if isinstance(value, float) else value
