"""verdicts.json and judgement.json: a judgement as plain records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from analysis.judging.judgement import Compared, Judgement, VerdictRow
from foundation.contract.measured_on import measured_on
from foundation.contract.records import SCHEMA_VERSION, CampaignRecord

#: Significant digits in the files: more than a figure carries, fewer than rounding errors reach.
_DIGITS: Final = 12


def verdicts_content(judgement: Judgement) -> list[dict[str, Any]]:
    """The content of verdicts.json; the same folder and engine give the same bytes."""
    told = _measured_on(judgement.campaign)
    rows: list[dict[str, Any]] = _rounded([verdict_record(row) | told for row in judgement.rows])
    return rows


def judgement_content(judgement: Judgement) -> dict[str, Any]:
    """The content of judgement.json; the same folder and engine give the same bytes."""
    content: dict[str, Any] = _rounded(
        {
            "schema_version": SCHEMA_VERSION,
            "campaign": judgement.campaign.name,
            "complete": judgement.campaign.complete,
            "emulated": judgement.campaign.emulated,
            **_measured_on(judgement.campaign),
            "alpha": judgement.campaign.alpha,
            "failed": judgement.failed,
            "engines": judgement.engines,
            "definitions": judgement.definitions,
            "kernel_failures": [asdict(failure) for failure in judgement.kernel_failures],
            "false_alarms": [[row.scenario, row.metric, row.variant] for row in judgement.false_alarms],
            "voids": [
                {name: value for name, value in asdict(void).items() if name != "kind"}
                for void in judgement.voids
            ],
            "noise_floor": [asdict(floor) for floor in judgement.noise_floor],
        }
    )
    return content


def _measured_on(campaign: CampaignRecord) -> dict[str, str | int]:
    """Clock, base and page size as far as the campaign tells them; older files do not."""
    on = measured_on(campaign)
    told: dict[str, str | int] = {
        "clock": on.clock if on.told else "",
        "base": on.base,
        "page_kb": int(on.page_kb) if on.page_kb.isdigit() else 0,
    }
    return {name: value for name, value in told.items() if value}


def verdict_record(row: VerdictRow) -> dict[str, Any]:
    """One row of verdicts.json, in the order of `columns.VERDICTS`, which describes each value."""
    question, situation, compared = row.question, row.situation, row.compared
    effect = compared.effect if compared else None
    equivalence = effect.equivalence if effect else None
    return {
        "scenario": question.scenario,
        "metric": question.metric.name,
        "baseline": question.baseline,
        "variant": question.variant,
        "verdict": row.verdict,
        "reason": row.decision.reason,
        "primary": question.primary,
        "exploratory": row.exploratory,
        "unit": question.metric.unit,
        "direction": question.metric.direction,
        "family": question.metric.family,
        "scale": row.scale,
        **_ratio(compared),
        "ci_level": effect.change.level if effect else None,
        "equivalence_low": equivalence.low if equivalence else None,
        "equivalence_high": equivalence.high if equivalence else None,
        "equivalence_level": equivalence.level if equivalence else None,
        **_difference(compared),
        "p": row.p,
        "p_holm": row.p_holm,
        "threshold": question.metric.threshold,
        "threshold_value": compared.effect.shown(compared.threshold) if compared else None,
        "pairs": row.pairs,
        "planned": situation.planned,
        "finished": situation.finished,
        "voids": situation.void,
        "kernel_failures": situation.failed,
        "missing": situation.missing,
        "pairs_needed": row.decision.pairs_needed,
        "detectable": row.detectable,
        "spread": effect.spread if effect else None,
        "baseline_median": compared.baseline_median if compared else None,
        "variant_median": compared.variant_median if compared else None,
        "same_kernel": question.same_kernel,
        "cautions": row.cautions,
        "with_voids": {
            "pairs": row.with_voids.effect.pairs if row.with_voids else 0,
            **_ratio(row.with_voids),
            **_difference(row.with_voids),
            "p": row.with_voids.effect.p if row.with_voids else None,
        },
    }


def _ratio(compared: Compared | None) -> dict[str, float | None]:
    if compared is None or compared.effect.scale != "ratio":
        return dict.fromkeys(("ratio", "ci_low", "ci_high"))
    change = compared.effect.change
    return {"ratio": change.value, "ci_low": change.low, "ci_high": change.high}


def _difference(compared: Compared | None) -> dict[str, float | None]:
    names = ("difference", "difference_ci_low", "difference_ci_high")
    if compared is None:
        return dict.fromkeys(names)
    change = compared.difference.change
    return dict(zip(names, (change.value, change.low, change.high), strict=True))


def _rounded(content: Any) -> Any:
    """Floats rounded to `_DIGITS`; those that are not finite, which JSON cannot hold, as None."""
    if isinstance(content, float):
        return float(f"{content:.{_DIGITS}g}") if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_rounded(value) for value in content]
    return content
