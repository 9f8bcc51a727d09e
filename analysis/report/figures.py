"""The figures of the page with their titles and what they show in words."""

from __future__ import annotations

from typing import Final

import pandas as pd

from analysis.judging.judgement import Judgement, number
from analysis.report import frames, plots
from analysis.report.fragment import PageFigure, figure_id

_WORDS: Final = ("IMPROVED", "REGRESSED", "CHANGED", "SAME", "UNDECIDED")
_FOREST_COLUMNS: Final = (
    "metric",
    "unit",
    "verdict",
    "primary",
    "ratio",
    "ci_low",
    "ci_high",
    "difference",
    "difference_ci_low",
    "difference_ci_high",
    "threshold",
    "threshold_value",
    "floor",
    "p",
    "p_holm",
    "pairs",
    "baseline_median",
    "variant_median",
)


def forests(judgement: Judgement, prefix: str, scenario: str, variant: str) -> tuple[PageFigure, ...]:
    """Relative changes, then those of metrics that can be 0; without what has nothing to show."""
    effects = frames.effects(judgement, scenario, variant)
    ratios = effects["ratio"].gt(0)
    drawn = (
        ("ratios", "Relative change", plots.forest(effects), effects[ratios]),
        (
            "differences",
            "Metrics that can be 0, in practical thresholds",
            plots.forest_of_differences(effects),
            effects[~ratios & effects["difference"].notna()],
        ),
    )
    return tuple(
        PageFigure(
            id=figure_id(prefix, "effects", name),
            title=f"{title}, {variant} against {judgement.campaign.baseline.name}, {scenario}",
            alt=_forest_alt(rows),
            figure=figure,
            frame=rows[list(_FOREST_COLUMNS)],
        )
        for name, title, figure, rows in drawn
        if figure is not None
    )


def _forest_alt(rows: pd.DataFrame) -> str:
    counts = rows["verdict"].value_counts()
    words = ", ".join(f"{counts[word]} {word}" for word in _WORDS if word in counts)
    primaries = "; ".join(
        f"{row.metric} {row.change}: {row.verdict}" for row in rows[rows["primary"]].itertuples()
    )
    return f"Estimates and intervals of {len(rows)} metrics: {words}. {primaries}"


def pair_figures(
    judgement: Judgement, prefix: str, scenario: str, variant: str
) -> tuple[tuple[str, tuple[PageFigure, ...]], ...]:
    """A figure for every metric that a pair knows: the primaries under "", then by family."""
    groups: dict[str, list[PageFigure]] = {}
    primaries = judgement.campaign.primaries
    for name in dict.fromkeys((*primaries, *judgement.metrics)):
        frame = frames.pairs(judgement, scenario, variant, name)
        figure = plots.paired(frame, judgement.campaign.baseline.name)
        if figure is None:
            continue
        row = judgement.row(scenario, name, variant)
        made = PageFigure(
            id=figure_id(prefix, "pairs", name),
            title=f"{name} [{row.unit}]",
            alt=_pairs_alt(frame, judgement.campaign.baseline.name, variant, scenario),
            figure=figure,
            frame=frame,
            note=f"{row.verdict} {row.change_text()}",
            wide=False,
        )
        groups.setdefault("" if name in primaries else judgement.metrics[name].family, []).append(made)
    return tuple((family, tuple(found)) for family, found in groups.items())


def _pairs_alt(frame: pd.DataFrame, baseline: str, variant: str, scenario: str) -> str:
    valid = frame[(frame["state"] == "valid") & frame["difference"].notna()]
    if valid.empty:
        return f"{scenario}: no valid pair has both values"
    below, above = int(valid["difference"].lt(0).sum()), int(valid["difference"].gt(0).sum())
    return (
        f"{scenario}: of {len(valid)} valid pairs, {variant} is below {baseline} in {below} and above in"
        f" {above}; medians {number(valid['baseline_value'].median())} and"
        f" {number(valid['variant_value'].median())}"
    )


def cpu_split(judgement: Judgement) -> PageFigure | None:
    """Who spent reclaim's CPU time; None where no valid block knows it."""
    parts = frames.cpu_parts(judgement)
    figure = plots.cpu_split(parts)
    if figure is None:
        return None
    totals: dict[str, float] = {}
    for row in parts[parts["cpu_ms"].notna()].to_dict("records"):
        bar = f"{row['scenario']}, {row['variant']}"
        totals[bar] = totals.get(bar, 0.0) + float(row["cpu_ms"])
    words = "; ".join(f"{bar} {number(value)} ms" for bar, value in totals.items())
    return PageFigure(
        id="cpu-split",
        title="CPU time of reclaim in a repetition, mean over valid blocks",
        alt=f"Sums: {words}",
        figure=figure,
        frame=parts,
    )
