"""One table of the verdicts of all legs of a campaign file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from analysis.judging.judgement import Judgement
from analysis.judging.pipeline import judge
from analysis.judging.wording import aligned
from foundation.contract.measured_on import check_comparable
from foundation.contract.results import Campaign
from foundation.errors import SuiteError, UsageError

_HEAD: Final = ("leg", "scenario", "metric", "variant", "change [95 %]", "verdict")


def legs_table(legs: Mapping[str, Path]) -> str:
    """The primary verdicts of every leg, and what is missing or failed. Judges what is on disk.

    ``legs`` maps a leg's name to its results folder, which may not exist yet.
    """
    rows: list[tuple[str, ...]] = [_HEAD]
    notes: list[str] = []
    shown: dict[str, Campaign] = {}
    for campaign, results in legs.items():
        name = campaign.rpartition("/")[2]
        if not (results / "campaign.json").exists():
            notes.append(f"{name}: not measured yet")
            continue
        try:
            judgement = judge(results)
        except SuiteError as error:
            notes.append(f"{name}: no verdict: {error}")
            continue
        try:
            check_comparable({**shown, name: judgement.campaign})
        except UsageError as error:
            notes.append(f"{name}: not in this table: {error}")
            continue
        shown[name] = judgement.campaign
        rows += [
            (name, row.scenario, row.metric, row.variant, row.change_text(), row.verdict)
            for row in judgement.rows
            if row.primary
        ]
        notes += _notes(name, judgement)
        notes.append(f"{name}: {results / 'report.html'}")
    lines = aligned(rows) if len(rows) > 1 else []
    return "\n".join([*lines, *([""] if lines else []), *notes])


def _notes(name: str, judgement: Judgement) -> list[str]:
    campaign = judgement.campaign
    notes = []
    if not campaign.complete:
        notes.append(
            f"{name}: unfinished, figures are interim: {len(campaign.blocks)} of"
            f" {len(campaign.schedule)} blocks"
        )
    notes += [f"{name}: KERNEL FAILURE in {failure.block}" for failure in judgement.kernel_failures]
    notes += [
        f"{name}: A/A FAILED: {row.metric}, {row.scenario}: {row.variant} is the same kernel"
        for row in judgement.false_alarms
    ]
    return notes
