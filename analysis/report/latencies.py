"""Distributions of single events: the direct reclaims and app switches of a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from analysis.distributions.names import DIRECT_RECLAIM, SWITCHES
from analysis.judging.judgement import Judgement
from analysis.judging.wording import number
from analysis.report.details import NO_PAIR, Absent, valid_repetitions, why_no_detail
from analysis.report.page_figure import PageFigure, figure_id
from analysis.report.style import sides, styled

_TITLES: Final = {
    DIRECT_RECLAIM: "Duration of each direct reclaim",
    **{name: f"{launch_class.capitalize()} app switch" for launch_class, name in SWITCHES.items()},
}
_LATENCIES: Final = ("variant", "block", "index", "pair", "rep", "value", "count")
_STEPS: Final = 400
_BLOCK_STEPS: Final = 40
_QUANTILES: Final = (0.5, 0.95, 0.99)
#: Values that may be labelled on an axis in ms.
_TICKS: Final = tuple(base * 10.0**power for power in range(-4, 6) for base in (1, 2, 5))
_MOST_TICKS: Final = 9


@dataclass(frozen=True)
class Drawn:
    """The figures of a comparison, and those that cannot be drawn."""

    figures: tuple[PageFigure, ...]
    absent: tuple[Absent, ...]


def latency_figures(judgement: Judgement, prefix: str, scenario: str, variant: str) -> Drawn:
    """Cumulative distributions of direct reclaim and of each kind of app switch."""
    figures: list[PageFigure] = []
    missing: dict[str, list[str]] = {}
    baseline = judgement.campaign.baseline.name
    for name, title in _TITLES.items():
        events = latencies(judgement, scenario, variant, name)
        figure = cdf(events, baseline)
        if figure is None:
            why = why_no_latencies(judgement, scenario, variant, name)
            missing.setdefault(why, []).append(title)
            continue
        words = _quantiles_text(events, (baseline, variant))
        figures.append(
            PageFigure(
                id=figure_id(prefix, "latency", name),
                title=f"{title} [ms]",
                alt=f"{scenario}: {words}",
                figure=figure,
                frame=cumulative(events).rename(columns={"value": "value_ms"}),
                note=words,
                wide=False,
            )
        )
    return Drawn(tuple(figures), tuple(Absent(", ".join(titles), why) for why, titles in missing.items()))


def _quantiles_text(events: pd.DataFrame, variants: tuple[str, str]) -> str:
    known = quantiles(events)
    parts = []
    for variant in variants:
        values = " / ".join(number(value) for value in known.get(variant, ())) or "none"
        parts.append(f"{variant} {values}")
    return f"p50 / p95 / p99: {', '.join(parts)}"


def latencies(judgement: Judgement, scenario: str, variant: str, name: str) -> pd.DataFrame:
    """Events of the valid repetitions of a comparison's valid pairs.

    ``name`` is one of `distributions.names`. Columns: variant, block, index (of the block in the
    schedule), pair, rep, value (ms) and count (events above the previous value, up to this one).
    Values ascend within a repetition. Empty without events.
    """
    rows: list[tuple[Any, ...]] = []
    for pair, side, one in valid_repetitions(judgement, scenario, variant):
        for events in one.measured.detail.distributions if one.measured.detail else ():
            if events.name == name:
                place = (side.block.place.variant, side.block.name, side.block.index, pair.number)
                rows += [
                    (*place, one.repetition.index, float(value), int(count))
                    for value, count in zip(events.values, events.counts, strict=True)
                ]
    return pd.DataFrame(rows, columns=pd.Index(_LATENCIES)).astype({"value": "float64", "count": "int64"})


def cumulative(events: pd.DataFrame) -> pd.DataFrame:
    """The cumulative distribution of each variant and of each of its blocks; ``events`` as `latencies`.

    Columns: variant, block (None: all blocks together), value, share (of the events up to this
    value) and events (their number). At most `_STEPS` rows per variant and about `_BLOCK_STEPS` per
    block, always including the largest event.
    """
    parts = []
    for variant, rows in events.groupby("variant", sort=False):
        parts.append(_steps(rows, _STEPS).assign(variant=variant, block=None))
        parts += [
            _steps(own, _BLOCK_STEPS).assign(variant=variant, block=block)
            for block, own in rows.groupby("block", sort=False)
        ]
    columns = ["variant", "block", "value", "share", "events"]
    return (
        pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=pd.Index(columns))
    )


def _steps(events: pd.DataFrame, most: int) -> pd.DataFrame:
    """value, share, events; above ``most`` values, the smaller ones are thinned out."""
    ordered = events.sort_values("value", kind="stable")
    total = int(ordered["count"].sum())
    steps = pd.DataFrame({"value": ordered["value"], "share": ordered["count"].cumsum() / total})
    steps = steps.drop_duplicates("value", keep="last").assign(events=total)
    if len(steps) > most:
        # The tail is the interesting part.
        tail = most // 4
        stride = math.ceil((len(steps) - tail) / (most - tail))
        steps = pd.concat([steps.iloc[:-tail:stride], steps.iloc[-tail:]])
    return steps


def why_no_latencies(judgement: Judgement, scenario: str, variant: str, name: str) -> str:
    """Why `latencies` is empty: the events were not recorded, not kept, or none occurred."""
    repetitions = [one for _, _, one in valid_repetitions(judgement, scenario, variant)]
    if not repetitions:
        return NO_PAIR
    details = [one.measured.detail for one in repetitions if one.measured.detail is not None]
    if not details:
        return why_no_detail(repetitions)
    reasons = {one.reason for detail in details for one in detail.distributions if one.name == name}
    reason = min(filter(None, reasons), default="none occurred in any valid repetition")
    return f"{reason[0].upper()}{reason[1:]}."


def cdf(events: pd.DataFrame, baseline: str) -> go.Figure | None:
    """Cumulative distributions of both variants; thin lines are single blocks. None without events.

    ``events`` as `latencies`, of one comparison. The axis is logarithmic; values of 0 are drawn at
    its left end.
    """
    if events.empty:
        return None
    steps = cumulative(events)
    positive = steps.loc[steps["value"] > 0, "value"]
    low = float(positive.min()) if len(positive) else 0.1
    high = max(float(steps["value"].max()), low * 1.5)
    figure = go.Figure()
    for variant, colour, _ in sides(events, baseline):
        rows = steps[(steps["variant"] == variant) & steps["block"].notna()]
        x: list[float | None] = []
        y: list[float | None] = []
        for _, block in rows.groupby("block", sort=False):
            x += [low, *block["value"].clip(lower=low), None]
            y += [0.0, *(block["share"] * 100).round(2), None]
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": colour, "width": 1, "shape": "hv"},
            opacity=0.3,
            name=f"{variant}, single blocks",
            legendgroup=variant,
            showlegend=False,
            hoverinfo="skip",
        )
    for variant, colour, dash in sides(events, baseline):
        rows = steps[(steps["variant"] == variant) & steps["block"].isna()]
        figure.add_scatter(
            x=[low, *rows["value"].clip(lower=low)],
            y=[0.0, *(rows["share"] * 100).round(2)],
            mode="lines",
            line={"color": colour, "width": 2.5, "dash": dash, "shape": "hv"},
            name=f"{variant} ({rows['events'].iloc[0]:,})",
            legendgroup=variant,
            hovertemplate=f"{variant}: <b>%{{y:.1f}} %</b> up to <b>%{{x:,.4g}} ms</b><extra></extra>",
        )
    ticks = _ticks(low, high)
    figure.update_xaxes(
        type="log",
        range=[math.log10(low) - 0.02, math.log10(high) + 0.02],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" for tick in ticks],
        tickangle=0,
        title_text="ms",
        title_standoff=4,
    )
    figure.update_yaxes(range=[0, 101], ticksuffix=" %", nticks=6)
    return styled(figure, height=300)


def quantiles(events: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """p50, p95 and p99 of each variant: the smallest kept value with that share of events up to it."""
    return {
        str(variant): tuple(
            float(
                rows.loc[(rows["count"].cumsum() / rows["count"].sum()) >= share - 1e-12, "value"].iloc[0]
            )
            for share in _QUANTILES
        )
        for variant, rows in events.sort_values("value", kind="stable").groupby("variant", sort=False)
    }


def _ticks(low: float, high: float) -> list[float]:
    inside = [tick for tick in _TICKS if low * 0.97 <= tick <= high * 1.03]
    if len(inside) < 4:
        step = next(tick for tick in _TICKS if (high - low) / tick < 6)
        return [
            step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1) if place
        ]
    if len(inside) > _MOST_TICKS:
        decades = [tick for tick in inside if math.isclose(math.log10(tick) % 1, 0, abs_tol=1e-9)]
        return decades if len(decades) > 2 else inside[::2]
    return inside
