"""The figures of single events and of a typical pair, or in words why one is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from analysis.distributions.names import DIRECT_RECLAIM, SWITCHES
from analysis.judging.judgement import Judgement, number
from analysis.report import detail_frames, plots_detail
from analysis.report.fragment import PageFigure, figure_id

_TITLES: Final = {
    DIRECT_RECLAIM: "Length of each direct reclaim",
    **{name: f"{launch_class.capitalize()} app switch" for launch_class, name in SWITCHES.items()},
}


@dataclass(frozen=True)
class Absent:
    """Figures that cannot be drawn, and why; ``title`` names them."""

    title: str
    why: str


@dataclass(frozen=True)
class Drawn:
    """What there is, and what is missing."""

    figures: tuple[PageFigure, ...]
    absent: tuple[Absent, ...]


def latency_figures(judgement: Judgement, prefix: str, scenario: str, variant: str) -> Drawn:
    """Cumulative distributions of direct reclaim and of each kind of app switch."""
    figures: list[PageFigure] = []
    missing: dict[str, list[str]] = {}
    baseline = judgement.campaign.baseline.name
    for name, title in _TITLES.items():
        events = detail_frames.latencies(judgement, scenario, variant, name)
        figure = plots_detail.cdf(events, baseline)
        if figure is None:
            why = detail_frames.why_no_latencies(judgement, scenario, variant, name)
            missing.setdefault(why, []).append(title)
            continue
        words = _quantiles_text(events, (baseline, variant))
        figures.append(
            PageFigure(
                id=figure_id(prefix, "latency", name),
                title=f"{title} [ms]",
                alt=f"{scenario}: {words}",
                figure=figure,
                frame=detail_frames.cumulative(events).rename(columns={"value": "value_ms"}),
                note=words,
                wide=False,
            )
        )
    return Drawn(tuple(figures), tuple(Absent(", ".join(titles), why) for why, titles in missing.items()))


def _quantiles_text(events: pd.DataFrame, variants: tuple[str, str]) -> str:
    known = plots_detail.quantiles(events)
    parts = []
    for variant in variants:
        values = " / ".join(number(value) for value in known.get(variant, ())) or "none"
        parts.append(f"{variant} {values}")
    return f"p50 / p95 / p99: {', '.join(parts)}"


def course_figure(judgement: Judgement, prefix: str, scenario: str, variant: str) -> PageFigure | Absent:
    """Timelines of both sides of one typical pair."""
    title = f"One pair in {scenario}: {variant} against {judgement.campaign.baseline.name}"
    found = detail_frames.typical(judgement, scenario, variant)
    if isinstance(found, str):
        return Absent(title, found)
    course = detail_frames.course(found)
    figure = plots_detail.timelines(course, judgement.campaign.baseline.name)
    if figure is None:
        return Absent(title, "Nothing that is drawn here was recorded.")
    blocks = " and ".join(
        f"{one.block.name}/rep-{one.repetition.index}" for one in (found.baseline, found.variant)
    )
    return PageFigure(
        id=figure_id(prefix, "course"),
        title=title,
        alt=f"{blocks}. Means over the repetition: {_means_text(course)}",
        figure=figure,
        frame=course.drop(columns=["block", "rep"]),
        note=f"{blocks}: {found.words}.",
    )


def _means_text(course: pd.DataFrame) -> str:
    """Time-weighted mean of each series, both variants."""
    parts = []
    for name, lane in plots_detail.LANES.items():
        rows = course[(course["series"] == name) & course["value"].notna()]
        means = []
        for variant, own in rows.groupby("variant", sort=False):
            weights = own["t_s"].diff().shift(-1).fillna(0)
            if weights.sum() > 0:
                mean = float((own["value"] * weights).sum() / weights.sum())
                means.append(f"{variant} {number(mean)}")
        if means:
            parts.append(f"{lane} {', '.join(means)} {rows['unit'].iloc[0]}")
    return "; ".join(parts)
