"""Values of single blocks: the pairs of a metric, and who spent reclaim's CPU time."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from analysis import frames
from analysis.judging.judgement import Judgement
from analysis.judging.pairing import BlockFigures
from analysis.judging.wording import number
from analysis.report.page_figure import PageFigure, figure_id
from analysis.report.style import BLUE, GREY, GRID, ORANGE, styled

#: kswapd's part of reclaim's CPU time: either the first one, or the next two.
KSWAPD: Final = "kswapd: scan and its own compression"
KSWAPD_SCAN: Final = "kswapd: scan"
KSWAPD_COMPRESS: Final = "kswapd: compress"
_MAX_TICKS: Final = 8
_YELLOW, _SKY = "#a07800", "#2a7ab8"
_PART_COLOURS: Final = {
    KSWAPD: _SKY,
    KSWAPD_SCAN: _SKY,
    KSWAPD_COMPRESS: _YELLOW,
    "direct reclaim": "#00805d",
    "compression thread": "#c25400",
    "vendor reclaim threads": "#a04e88",
}
CPU_PARTS: Final = tuple(_PART_COLOURS)


def pair_figures(
    judgement: Judgement, prefix: str, scenario: str, variant: str
) -> tuple[tuple[str, tuple[PageFigure, ...]], ...]:
    """A figure for every metric with values: the primaries under "", then by family."""
    groups: dict[str, list[PageFigure]] = {}
    primaries = judgement.campaign.primaries
    every = frames.pairs(judgement, comparisons=[(scenario, variant)]).groupby("metric", sort=False)
    for name in dict.fromkeys((*primaries, *judgement.metrics)):
        metric, frame = judgement.metrics[name], every.get_group(name)
        figure = paired(frame, judgement.campaign.baseline.name)
        if figure is None:
            continue
        row = judgement.row(scenario, name, variant)
        drawn = PageFigure(
            id=figure_id(prefix, "pairs", name),
            title=f"{name} [{metric.unit}]",
            alt=_pairs_alt(frame, judgement.campaign.baseline.name, variant, scenario),
            figure=figure,
            frame=frame,
            note=f"{row.verdict} {row.change_text()}",
            wide=False,
        )
        groups.setdefault("" if name in primaries else metric.family, []).append(drawn)
    return tuple((family, tuple(figures)) for family, figures in groups.items())


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


def paired(pairs: pd.DataFrame, baseline: str) -> go.Figure | None:
    """Both blocks of each pair of one metric in run order, joined by a line.

    ``pairs`` as `frames.pairs`, of one comparison and metric. The line of a void pair is dotted.
    Pairs with a kernel failure and unknown values are omitted; None if nothing is left.
    """
    rows = pairs[pairs["state"].isin(["valid", "void"])]
    known = rows[rows["baseline_value"].notna() | rows["variant_value"].notna()]
    if known.empty:
        return None
    figure = go.Figure()
    for state, dash in (("valid", "solid"), ("void", "dot")):
        x, y = _segments(known[known["state"] == state])
        if x:
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines",
                line={"color": GREY, "dash": dash, "width": 1.5},
                name="pair" if state == "valid" else "void pair",
                hoverinfo="skip",
                showlegend=state == "void",
            )
    variant = str(known["variant"].iloc[0])
    for side, name, colour, symbol in (
        ("baseline", baseline, BLUE, "circle"),
        ("variant", variant, ORANGE, "diamond"),
    ):
        shown = known[known[f"{side}_value"].notna()]
        figure.add_scatter(
            x=shown[f"{side}_index"],
            y=shown[f"{side}_value"],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9},
            name=name,
            text=[_pair_hover(row, side) for _, row in shown.iterrows()],
            hoverinfo="text",
        )
    places = known[["baseline_index", "variant_index"]].stack()
    # With few blocks plotly would put ticks between them.
    step = {"dtick": 1} if places.max() - places.min() < _MAX_TICKS else {"nticks": _MAX_TICKS}
    figure.update_xaxes(title_text="block, in run order", title_standoff=4, tickformat="d", **step)
    figure.update_yaxes(rangemode="tozero", nticks=6)
    return styled(figure, height=250)


def _segments(pairs: pd.DataFrame) -> tuple[list[float | None], list[float | None]]:
    """Lines from block to block, with a gap after each pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    both = pairs[pairs["baseline_value"].notna() & pairs["variant_value"].notna()]
    for _, row in both.iterrows():
        x += [row["baseline_index"], row["variant_index"], None]
        y += [row["baseline_value"], row["variant_value"], None]
    return x, y


def _pair_hover(row: pd.Series, side: str) -> str:
    change = "" if pd.isna(row["ratio"]) else f"<br>pair: {(row['ratio'] - 1) * 100:+,.1f} %"
    state = "" if row["state"] == "valid" else f" ({row['state']})"
    return (
        f"{row[f'{side}_block']}, {row['lane']}<br>pair {row['pair']}{state}:"
        f" <b>{row[f'{side}_value']:,.4g} {row['unit']}</b>{change}"
    )


def cpu_figure(judgement: Judgement) -> PageFigure | None:
    """Who spent reclaim's CPU time; None if no valid block knows it."""
    parts = cpu_parts(judgement)
    figure = cpu_split(parts)
    if figure is None:
        return None
    totals: dict[str, float] = {}
    for row in parts[parts["cpu_ms"].notna()].to_dict("records"):
        bar = f"{row['scenario']}, {row['variant']}"
        totals[bar] = totals.get(bar, 0.0) + float(row["cpu_ms"])
    words = "; ".join(f"{bar} {number(value)} ms" for bar, value in totals.items())
    return PageFigure(
        id="cpu-split",
        title="CPU time of reclaim per repetition, mean over valid blocks",
        alt=f"Sums: {words}",
        figure=figure,
        frame=parts,
    )


def cpu_parts(judgement: Judgement) -> pd.DataFrame:
    """CPU time of reclaim by who spent it, in ms per repetition: means over the valid blocks.

    A row for each scenario, variant and part of `CPU_PARTS` that any block spent time in. Columns:
    scenario, variant, part, cpu_ms (NaN if no valid block knows it) and blocks (their number).
    kswapd's time is split if its calls into zram were recorded in every valid block.
    """
    campaign = judgement.campaign
    blocks = [
        (figures.block.place.scenario, figures.block.place.variant, _parts(judgement, figures))
        for figures in judgement.blocks.values()
        if figures.block.outcome == "valid" and not figures.void_reasons
    ]
    split = bool(blocks) and all(KSWAPD_COMPRESS in parts for _, _, parts in blocks)
    left_out = (KSWAPD,) if split else (KSWAPD_SCAN, KSWAPD_COMPRESS)
    rows = []
    for scenario in campaign.scenarios:
        for variant in campaign.variants:
            own = [parts for where, who, parts in blocks if (where, who) == (scenario, variant.name)]
            for part in CPU_PARTS:
                values = [parts[part] for parts in own if part in parts]
                mean = sum(values) / len(values) if values else math.nan
                rows.append((scenario, variant.name, part, mean, len(values)))
    frame = pd.DataFrame(rows, columns=pd.Index(["scenario", "variant", "part", "cpu_ms", "blocks"]))
    seen = set(frame.loc[frame["cpu_ms"].gt(0), "part"]) - set(left_out)
    return frame[frame["part"].isin(seen)].reset_index(drop=True)


def _parts(judgement: Judgement, figures: BlockFigures) -> dict[str, float]:
    """The parts known of a block, in ms."""

    def value(name: str) -> float | None:
        metric = judgement.metrics.get(name)
        return None if metric is None else figures.value(metric).value

    metrics = judgement.metrics.values()
    parts = {one.shown.cpu_of: figures.value(one).value for one in metrics if one.shown.cpu_of}
    kswapd = parts.pop("kswapd", None)
    compressed, share = value("t2_compress_ms"), value("t2_in_kswapd_share")
    parts[KSWAPD] = kswapd
    if kswapd is not None and compressed is not None and share is not None:
        parts[KSWAPD_COMPRESS] = min(compressed * share, kswapd)
        parts[KSWAPD_SCAN] = kswapd - min(compressed * share, kswapd)
    return {part: cpu_ms for part, cpu_ms in parts.items() if cpu_ms is not None}


def cpu_split(parts: pd.DataFrame) -> go.Figure | None:
    """CPU time of reclaim: a bar for each scenario and variant, stacked by who spent it.

    ``parts`` as `cpu_parts`. None if all values are unknown.
    """
    known = parts[parts["cpu_ms"].notna()]
    if known.empty:
        return None
    figure = go.Figure()
    # Write a value into its part of the bar if it fits.
    smallest = known.groupby(["scenario", "variant"])["cpu_ms"].sum().max() * 0.03
    for part, rows in known.groupby("part", sort=False):
        figure.add_bar(
            y=[list(rows["scenario"]), list(rows["variant"])],
            x=rows["cpu_ms"],
            orientation="h",
            name=str(part),
            marker={"color": _PART_COLOURS[str(part)], "line": {"width": 1, "color": "#fff"}},
            text=[f"{value:,.0f}" if value > smallest else "" for value in rows["cpu_ms"]],
            textposition="inside",
            textangle=0,
            constraintext="none",
            insidetextanchor="middle",
            insidetextfont={"color": "#fff"},
            hovertext=[
                f"{row.scenario}, {row.variant}<br>{part}: <b>{row.cpu_ms:,.1f} ms</b>"
                f" (mean of {row.blocks} blocks)"
                for row in rows.itertuples()
            ],
            hoverinfo="text",
        )
    bars = len(known[["scenario", "variant"]].drop_duplicates())
    figure.update_xaxes(title_text="CPU time per repetition [ms]", title_standoff=6)
    figure.update_yaxes(autorange="reversed", automargin=True, dividerwidth=1, dividercolor=GRID)
    styled(figure, height=110 + 44 * bars)
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    return figure
