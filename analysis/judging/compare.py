"""All verdicts of a campaign: every metric of every scenario, each variant against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from analysis.judging.judgement import Compared, Question, VerdictRow
from analysis.judging.pairing import Pair, PairValues, pair_values, situation_of
from analysis.stats import holm
from analysis.stats.effect import PairValue, effect_of, practical_threshold, working_scale
from analysis.stats.noise_floor import NoiseFloor, noise_floor
from analysis.stats.sample_size import detectable_effect
from analysis.stats.verdict import decide
from foundation.contract.metric import Metric
from foundation.contract.records import VariantRecord
from foundation.contract.results import Campaign


def compare(
    campaign: Campaign,
    pairs: Mapping[tuple[str, str], Sequence[Pair]],
    metrics: Mapping[str, Metric],
) -> tuple[VerdictRow, ...]:
    """Rows by scenario, variant and metric, primaries first. ``pairs`` is by (scenario, variant)."""
    return tuple(
        row
        for scenario in campaign.scenarios
        for variant in campaign.variants[1:]
        for row in _comparison(campaign, scenario, variant, pairs[scenario, variant.name], metrics)
    )


def same_kernel(campaign: Campaign, variant: VariantRecord) -> bool:
    """Whether ``variant`` is the baseline under another name (an A/A comparison)."""
    first = campaign.baseline
    return (variant.kind, dict(variant.options)) == (first.kind, dict(first.options))


def noise_floors(
    campaign: Campaign,
    pairs: Mapping[tuple[str, str], Sequence[Pair]],
    metrics: Mapping[str, Metric],
) -> tuple[NoiseFloor, ...]:
    """The noise floor of every metric of every A/A comparison; empty if there is none."""
    floors = (
        noise_floor(scenario, metric.name, variant.name, metric.scale, values)
        for scenario in campaign.scenarios
        for variant in campaign.variants[1:]
        if same_kernel(campaign, variant)
        for metric in metrics.values()
        for values in (pair_values(pairs[scenario, variant.name], metric).values,)
    )
    return tuple(floor for floor in floors if floor is not None)


def _comparison(
    campaign: Campaign,
    scenario: str,
    variant: VariantRecord,
    pairs: Sequence[Pair],
    metrics: Mapping[str, Metric],
) -> list[VerdictRow]:
    primaries = [name for name in campaign.primaries if name in metrics]
    names = (*primaries, *(name for name in metrics if name not in primaries))
    values = {name: pair_values(pairs, metrics[name]) for name in names}
    compared = {name: _compared(metrics[name], found.values) for name, found in values.items()}
    plain = {name: one.effect.p if (one := compared[name]) else None for name in primaries}
    adjusted = holm.adjust(plain)
    rows = []
    for name in names:
        question = Question(
            scenario=scenario,
            metric=metrics[name],
            baseline=campaign.baseline.name,
            variant=variant.name,
            primary=name in primaries,
            same_kernel=same_kernel(campaign, variant),
        )
        rows.append(_row(campaign, question, pairs, compared[name], values[name], adjusted.get(name)))
    return rows


def _compared(metric: Metric, values: Sequence[PairValue]) -> Compared | None:
    if not values:
        return None
    scale = working_scale(metric.scale, values)
    return Compared(
        effect=effect_of(values, scale),
        difference=effect_of(values, "difference"),
        threshold=practical_threshold(metric.threshold, scale, values),
        baseline_median=median(value.baseline for value in values),
        variant_median=median(value.variant for value in values),
    )


def _row(
    campaign: Campaign,
    question: Question,
    pairs: Sequence[Pair],
    compared: Compared | None,
    found: PairValues,
    p_holm: float | None,
) -> VerdictRow:
    situation = situation_of(pairs, found)
    tests = len(campaign.primaries) if question.primary else 1
    effect = compared.effect if compared else None
    decision = decide(
        effect,
        situation,
        direction=question.metric.direction,
        threshold=compared.threshold if compared else 0.0,
        p_adjusted=p_holm if question.primary else (effect.p if effect else None),
        alpha=campaign.alpha,
        tests=tests,
    )
    return VerdictRow(
        question=question,
        situation=situation,
        compared=compared,
        decision=decision,
        p_holm=p_holm,
        detectable=_detectable(compared, campaign.alpha, tests),
        cautions=_cautions(pairs, question.metric, (*found.missing, *found.void)),
        with_voids=_compared(question.metric, pair_values(pairs, question.metric, with_voids=True).values),
    )


def _detectable(compared: Compared | None, alpha: float, tests: int) -> float | None:
    """The smallest effect that this many pairs would detect, as a relative change or a difference."""
    if compared is None or compared.effect.spread is None:
        return None
    effect = compared.effect
    detectable = detectable_effect(
        spread=compared.effect.spread,
        threshold=compared.threshold,
        alpha=alpha,
        tests=tests,
        pairs=effect.pairs,
    )
    if detectable is None:
        return None
    return effect.shown(detectable) - 1.0 if effect.scale == "ratio" else detectable


def _cautions(pairs: Sequence[Pair], metric: Metric, missing: Sequence[str]) -> tuple[str, ...]:
    """Why values are missing, and the cautions of those that are not; each text once."""
    figures = (
        side.value(metric)
        for pair in pairs
        if pair.state == "valid"
        for side in (pair.baseline, pair.variant)
        if side is not None
    )
    cautions = (figure.reason for figure in figures if figure.value is not None and figure.reason)
    return tuple(dict.fromkeys((*missing, *cautions)))
