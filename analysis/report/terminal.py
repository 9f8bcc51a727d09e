"""The verdict table for the terminal: plain text, at most 100 columns."""

from __future__ import annotations

import textwrap
from typing import Final, Literal

from analysis.judging.judgement import Judgement, VerdictRow
from analysis.judging.wording import aligned, lower_level, p_text, short, short_change, short_interval
from analysis.report.measured_on_words import clock_words
from analysis.report.patch_words import patches_of
from foundation.contract.measured_on import measured_on

WIDTH: Final = 100

_HEAD: Final = ("scenario", "metric", "baseline", "variant", "change [95 %]", "p_holm", "verdict")
_RIGHT: Final = (False, False, True, True, False, True, False)


def verdict_table(judgement: Judgement) -> str:
    """The verdicts of a campaign as text, failures first. Writes nothing."""
    campaign = judgement.campaign
    parts: list[str] = []
    for failure in judgement.kernel_failures:
        parts.append(_wrapped(f"KERNEL FAILURE in {failure.block} ({failure.variant}): {failure.text}"))
    for row in judgement.false_alarms:
        parts.append(_wrapped(f"A/A FAILED: {row.alarm()}"))
    for variant in campaign.variants[1:]:
        rows = [row for row in judgement.rows if row.variant == variant.name]
        parts.append(_comparison(rows, variant.name, campaign.baseline.name))
    if judgement.voids:
        voids = (f"{one.what} ({', '.join(one.reasons)})" for one in judgement.voids if one.kind != "pair")
        parts.append(_wrapped(f"void: {'; '.join(voids)}"))
    notes = ["p in parentheses: exploratory, not adjusted, never decides."]
    if judgement.traced:
        notes.append(judgement.traced)
    if campaign.emulated:
        notes.append("Emulated device: directions and ratios only, no absolute times.")
    where = measured_on(campaign).text()
    notes += [f"Measured on {where}."] if where else []
    notes += filter(None, [clock_words(campaign)])
    notes += patches_of(campaign)
    parts.append(_wrapped(" ".join(notes)))
    return "\n\n".join(parts)


def _comparison(rows: list[VerdictRow], variant: str, baseline: str) -> str:
    situations = {row.scenario: row.situation for row in rows}
    pairs = ", ".join(f"{scenario} {one.finished} of {one.planned}" for scenario, one in situations.items())
    shown = [row for row in rows if row.primary] + companions(rows, "terminal")
    lines = [_wrapped(f"{variant} against {baseline}; finished pairs: {pairs}")]
    lines += aligned([_HEAD, *(_cells(row) for row in shown)], _RIGHT, width=WIDTH)
    for row in shown:
        if row.primary and row.verdict == "UNDECIDED":
            lines.append(_wrapped(f"{row.metric}, {row.scenario}: UNDECIDED: {row.decision.reason}"))
    return "\n".join(lines)


def companions(rows: list[VerdictRow], where: Literal["terminal", "mail"]) -> list[VerdictRow]:
    """Exploratory rows with a value whose metric is shown in ``where``, in the order of `Shown`."""
    shown = [
        row
        for row in rows
        if not row.primary and row.compared is not None and getattr(row.question.metric.shown, where)
    ]
    return sorted(shown, key=lambda row: row.question.metric.shown.order)


def _cells(row: VerdictRow) -> tuple[str, ...]:
    p = p_text(row.p_holm) if row.p_holm is not None else "-" if row.p is None else f"({p_text(row.p)})"
    effect = " ".join(filter(None, (short_change(row.change), short_interval(row.change))))
    level = lower_level(row.change).removesuffix(" interval")
    return (
        row.scenario,
        row.metric,
        short(row.compared.baseline_median if row.compared else None),
        short(row.compared.variant_median if row.compared else None),
        f"{effect} ({level})" if level else effect,
        p,
        row.verdict,
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)
