"""The answer in one sentence per scenario, shown before any table."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from analysis.judging.compare import same_kernel
from analysis.judging.judgement import Judgement, VerdictRow

_CONDITION: Final = {
    "idle": "With CPU time to spare (idle)",
    "busy": "With every CPU kept busy (busy)",
    "rt-busy": "With real-time threads on every CPU 80 % of the time (rt-busy)",
}
_VERBS: Final = {
    "IMPROVED": "improves",
    "REGRESSED": "worsens",
    "CHANGED": "changes",
    "SAME": "makes no practical difference to",
}


@dataclass(frozen=True)
class Answer:
    """One scenario of one comparison in words; ``tone`` is better, worse, mixed, same or open."""

    scenario: str
    variant: str
    tone: str
    sentence: str


def question(judgement: Judgement) -> str:
    """The question of the campaign; it names an A/A variant only if there are no others."""
    campaign = judgement.campaign
    asked = [variant for variant in campaign.variants[1:] if not same_kernel(campaign, variant)]
    names = [variant.name for variant in asked or campaign.variants[1:]]
    others = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    workload = campaign.workload.replace("-", " ")
    verb = "does" if len(names) == 1 else "do"
    return f"What {verb} {others} change against {campaign.baseline.name} in {workload}?"


def answers(judgement: Judgement) -> tuple[Answer, ...]:
    """One answer per scenario of each comparison, from the primaries alone; A/A comes last."""
    campaign = judgement.campaign
    return tuple(
        _answer(judgement, scenario, variant.name)
        for variant in sorted(campaign.variants[1:], key=lambda variant: same_kernel(campaign, variant))
        for scenario in judgement.campaign.scenarios
    )


def _answer(judgement: Judgement, scenario: str, variant: str) -> Answer:
    rows = [
        row for row in judgement.rows if row.primary and row.scenario == scenario and row.variant == variant
    ]
    parts = [
        f"{verb} {_listed(own)}"
        for verdict, verb in _VERBS.items()
        if (own := [row for row in rows if row.verdict == verdict])
    ]
    undecided = [row for row in rows if row.verdict == "UNDECIDED"]
    if undecided:
        # The metrics often share one reason; give it once.
        reasons = {row.decision.reason for row in undecided}
        why = f" ({reasons.pop()})" if len(reasons) == 1 else ""
        parts.append(f"is undecided on {_listed(undecided)}{why}")
    name = f"{variant} (the same kernel)" if any(row.question.same_kernel for row in rows) else variant
    what = f"{name} {'; '.join(parts)}" if parts else "nothing was measured"
    sentence = f"{_CONDITION.get(scenario, scenario)}, {what}."
    return Answer(scenario, variant, _tone({row.verdict for row in rows}), sentence)


def _listed(rows: Sequence[VerdictRow]) -> str:
    texts = []
    for row in rows:
        name = row.question.metric.plain or row.metric
        texts.append(name if row.compared is None else f"{name} {row.change_text()}")
    return ", ".join(texts)


def _tone(verdicts: Set[str]) -> str:
    if {"IMPROVED", "REGRESSED"} <= verdicts:
        return "mixed"
    tones = {"REGRESSED": "worse", "IMPROVED": "better", "SAME": "same", "CHANGED": "same"}
    return next((tone for verdict, tone in tones.items() if verdict in verdicts), "open")
