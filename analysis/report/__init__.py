"""The page: a results folder as one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from analysis.judging.pipeline import Judgement, judge, write_text
from analysis.report.view import context
from foundation.contract.results import REPORT_FILE

__all__ = ["render", "write"]

_HERE: Final = Path(__file__).parent


def write(results: Path) -> Path:
    """Judge a results folder from its files, write report.html into it, and return its path.

    Figures of unchanged traces are used again. Errors as `analysis.judging.pipeline.judge`.
    """
    path = results / REPORT_FILE
    write_text(path, render(judge(results)))
    return path


def render(judgement: Judgement) -> str:
    """The page as text: every style, script and figure is in it, and it asks for nothing else."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(
        **context(judgement),
        css=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        plotly_js=Markup(get_plotlyjs()),
        page_js=Markup((_HERE / "page.js").read_text(encoding="utf-8")),
    )
