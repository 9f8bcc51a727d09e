"""One table over all legs of a campaign file: what each of them came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.judging.judgement import Judgement
from analysis.judging.pipeline import judge
from analysis.judging.wording import aligned
from foundation.errors import SuiteError

_HEAD: Final = ("leg", "scenario", "metric", "variant", "change [95 %]", "verdict")


@dataclass(frozen=True)
class LegResult:
    """A leg and its results folder, which need not exist yet."""

    name: str
    results: Path


def legs_table(legs: Sequence[LegResult]) -> str:
    """The primary verdicts of every leg, and what is missing or failed. Judges what is on disk."""
    rows: list[tuple[str, ...]] = [_HEAD]
    notes: list[str] = []
    for leg in legs:
        name = leg.name.rpartition("/")[2]
        if not (leg.results / "campaign.json").exists():
            notes.append(f"{name}: nothing was measured yet")
            continue
        try:
            judgement = judge(leg.results)
        except SuiteError as error:
            notes.append(f"{name}: no verdict: {error}")
            continue
        rows += [
            (name, row.scenario, row.metric, row.variant, row.change_text(), row.verdict)
            for row in judgement.rows
            if row.primary
        ]
        notes += _notes(name, judgement)
        notes.append(f"{name}: {leg.results / 'report.html'}")
    lines = aligned(rows) if len(rows) > 1 else []
    return "\n".join([*lines, *([""] if lines else []), *notes])


def _notes(name: str, judgement: Judgement) -> list[str]:
    campaign = judgement.campaign
    notes = []
    if not campaign.complete:
        notes.append(
            f"{name}: unfinished, {len(campaign.blocks)} of {len(campaign.schedule)} blocks:"
            " its figures are interim"
        )
    notes += [f"{name}: KERNEL FAILURE in {failure.block}" for failure in judgement.kernel_failures]
    notes += [
        f"{name}: A/A FAILED: {row.metric}, {row.scenario}: {row.variant} is the same kernel"
        for row in judgement.false_alarms
    ]
    return notes
