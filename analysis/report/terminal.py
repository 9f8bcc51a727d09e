"""The verdict table for the terminal: plain text, at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from analysis.judging.judgement import (
    Judgement,
    VerdictRow,
    percent,
    short,
)

WIDTH: Final = 100

#: Shown below the primaries where they are known, whatever they say; all others are in the report.
COMPANIONS: Final = (
    "compression_cpu_ms",
    "reclaim_cpu_ms",
    "direct_reclaim_count",
    "psi_memory_some_ms",
    "switch_latency_hot_p50_ms",
    "switch_latency_warm_p50_ms",
    "kills",
    "t1_us_per_page",
    "t2_us_per_page",
    "t3_us_per_page",
    "model_serial_residual_share",
    "model_overlapped_residual_share",
    "model_split_residual_share",
    "fault_read_p50_us",
    "fault_unfinished_count",
    "fault_unfinished_waiting_count",
    "fault_unfinished_p50_us",
)

_HEAD: Final = ("scenario", "metric", "baseline", "variant", "change [95 %]", "p_holm", "verdict")
_RIGHT: Final = (False, False, True, True, False, True, False)


def verdict_table(judgement: Judgement) -> str:
    """The verdicts of a campaign as text; what failed comes first. Writes nothing."""
    campaign = judgement.campaign
    parts: list[str] = []
    for failure in judgement.kernel_failures:
        parts.append(_wrapped(f"KERNEL FAILURE in {failure.block} ({failure.variant}): {failure.text}"))
    for row in judgement.false_alarms:
        parts.append(
            _wrapped(
                f"A/A FAILED: {row.metric}, {row.scenario}: {row.variant} is the same kernel as"
                f" {row.baseline}, and came out {row.verdict}. Trust no verdict of this set-up."
            )
        )
    for variant in campaign.variants[1:]:
        rows = [row for row in judgement.rows if row.variant == variant.name]
        parts.append(_comparison(rows, variant.name, campaign.baseline.name))
    if judgement.voids:
        parts.append(_wrapped(f"void: {'; '.join(_void_lines(judgement))}"))
    notes = ["p in brackets: exploratory, not adjusted, never gates."]
    if judgement.traced:
        notes.append(judgement.traced)
    if campaign.emulated:
        notes.append("Emulated device: directions and ratios only, no absolute times.")
    parts.append(_wrapped(" ".join(notes)))
    return "\n\n".join(parts)


def _comparison(rows: list[VerdictRow], variant: str, baseline: str) -> str:
    pairs = ", ".join(
        f"{scenario} {max(row.finished for row in rows if row.scenario == scenario)}"
        f" of {max(row.planned for row in rows if row.scenario == scenario)}"
        for scenario in dict.fromkeys(row.scenario for row in rows)
    )
    shown = [row for row in rows if row.primary]
    shown += [
        row for name in COMPANIONS for row in rows if row.metric == name and not row.primary and row.pairs
    ]
    shown.sort(key=lambda row: not row.primary)
    lines = [_wrapped(f"{variant} against {baseline}; finished pairs: {pairs}")]
    lines += _aligned([_HEAD, *(_cells(row) for row in shown)])
    for row in shown:
        if row.primary and row.verdict == "UNDECIDED":
            lines.append(_wrapped(f"{row.metric}, {row.scenario}: UNDECIDED: {row.reason}"))
    return "\n".join(lines)


def _cells(row: VerdictRow) -> tuple[str, ...]:
    p = _p(row.p_holm) if row.p_holm is not None else "-" if row.p is None else f"({_p(row.p)})"
    return (
        row.scenario,
        row.metric,
        short(row.baseline_median),
        short(row.variant_median),
        _change(row),
        p,
        row.verdict,
    )


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _change(row: VerdictRow) -> str:
    level = row.lower_level.removesuffix(" interval")
    return f"{_effect(row)} ({level})" if level else _effect(row)


def _effect(row: VerdictRow) -> str:
    if row.ratio is not None:
        text = f"{percent(row.ratio)}%"
        if row.ci_low is None or row.ci_high is None:
            return text
        return f"{text} [{percent(row.ci_low)}, {percent(row.ci_high)}]"
    text = short(row.difference, sign=True)
    if row.difference is None or row.difference_ci_low is None or row.difference_ci_high is None:
        return text
    return f"{text} [{short(row.difference_ci_low, sign=True)}, {short(row.difference_ci_high, sign=True)}]"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    spare = sum(widths) + len(gap) * (len(widths) - 1) - WIDTH
    if spare > 0:
        widths[1] = max(8, widths[1] - spare)
    return [
        gap.join(
            _cut(cell, width).rjust(width) if right else _cut(cell, width).ljust(width)
            for cell, width, right in zip(row, widths, _RIGHT, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}~"


def _void_lines(judgement: Judgement) -> Iterable[str]:
    for void in judgement.voids:
        if not void.what.startswith("pair "):
            yield f"{void.what} ({', '.join(void.reasons)})"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)
