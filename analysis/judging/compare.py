"""All verdicts of a campaign: every metric of every scenario, each variant against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from analysis.judging.judgement import Sensitivity, VerdictRow
from analysis.judging.pairing import Pair, pair_values, situation_of
from analysis.stats import holm
from analysis.stats.effect import Effect, PairValue, effect_of, practical_threshold, working_scale
from analysis.stats.noise_floor import NoiseFloor, noise_floor
from analysis.stats.sample_size import MIN_PAIRS, detectable_effect
from analysis.stats.signflip import Interval
from analysis.stats.verdict import decide
from foundation.comparison import Scale
from foundation.contract.metric import Metric
from foundation.contract.results import Campaign, VariantRecord


def compare(
    campaign: Campaign,
    pairs: Mapping[tuple[str, str], Sequence[Pair]],
    metrics: Mapping[str, Metric],
) -> tuple[VerdictRow, ...]:
    """Rows by scenario, variant and metric, primaries first. ``pairs`` is by (scenario, variant)."""
    rows: list[VerdictRow] = []
    for scenario in campaign.scenarios:
        for variant in campaign.variants[1:]:
            rows += _comparison(campaign, scenario, variant, pairs[scenario, variant.name], metrics)
    return tuple(rows)


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
    floors = []
    for scenario in campaign.scenarios:
        for variant in campaign.variants[1:]:
            if not same_kernel(campaign, variant):
                continue
            for metric in metrics.values():
                values, _ = pair_values(pairs[scenario, variant.name], metric)
                floor = noise_floor(scenario, metric.name, variant.name, metric.scale, values)
                if floor is not None:
                    floors.append(floor)
    return tuple(floors)


def _comparison(
    campaign: Campaign,
    scenario: str,
    variant: VariantRecord,
    pairs: Sequence[Pair],
    metrics: Mapping[str, Metric],
) -> list[VerdictRow]:
    primaries = [name for name in campaign.primaries if name in metrics]
    others = [name for name in metrics if name not in primaries]
    values = {name: pair_values(pairs, metrics[name])[0] for name in primaries}
    plain = {name: _effect(metrics[name], found)[1].p if found else None for name, found in values.items()}
    adjusted = holm.adjust(plain)
    return [
        _row(campaign, scenario, variant, pairs, metrics[name], adjusted.get(name), name in primaries)
        for name in (*primaries, *others)
    ]


def _effect(metric: Metric, values: Sequence[PairValue]) -> tuple[Scale, Effect]:
    scale = working_scale(metric.scale, values)
    return scale, effect_of(values, scale)


def _row(
    campaign: Campaign,
    scenario: str,
    variant: VariantRecord,
    pairs: Sequence[Pair],
    metric: Metric,
    p_holm: float | None,
    primary: bool,
) -> VerdictRow:
    values, missing = pair_values(pairs, metric)
    situation = situation_of(pairs, missing)
    tests = len(campaign.primaries) if primary else 1
    effect: Effect | None = None
    scale: Scale = metric.scale
    threshold = 0.0
    detectable: float | None = None
    if values:
        scale, effect = _effect(metric, values)
        threshold = practical_threshold(metric.threshold, scale, values)
        if effect.spread is not None:
            detectable = detectable_effect(
                spread=effect.spread,
                threshold=threshold,
                alpha=campaign.alpha,
                tests=tests,
                pairs=effect.pairs,
            )
    verdict = decide(
        effect,
        situation,
        direction=metric.direction,
        threshold=threshold,
        p_adjusted=p_holm if primary else (effect.p if effect else None),
        alpha=campaign.alpha,
        tests=tests,
    )
    unfinished = situation.finished < situation.planned
    shown = _Shown(effect, values)
    ratio = shown.ratio(effect.estimate if effect else None)
    return VerdictRow(
        scenario=scenario,
        metric=metric.name,
        baseline=campaign.baseline.name,
        variant=variant.name,
        verdict=verdict.word,
        reason=verdict.reason,
        primary=primary,
        exploratory=not primary or unfinished or len(values) < MIN_PAIRS,
        unit=metric.unit,
        direction=metric.direction,
        family=metric.family,
        scale=scale,
        ratio=ratio,
        ci_low=shown.ratio(_low(effect.wide) if effect else None),
        ci_high=shown.ratio(_high(effect.wide) if effect else None),
        ci_level=effect.wide.level if effect and effect.wide else None,
        equivalence_low=shown.scaled(_low(effect.narrow) if effect else None),
        equivalence_high=shown.scaled(_high(effect.narrow) if effect else None),
        equivalence_level=effect.narrow.level if effect and effect.narrow else None,
        difference=shown.difference.estimate if shown.difference else None,
        difference_ci_low=_low(shown.difference.wide) if shown.difference else None,
        difference_ci_high=_high(shown.difference.wide) if shown.difference else None,
        p=effect.p if effect else None,
        p_holm=p_holm,
        threshold=metric.threshold,
        threshold_value=shown.scaled(threshold) if effect else None,
        pairs=len(values),
        planned=situation.planned,
        finished=situation.finished,
        voids=situation.void,
        kernel_failures=situation.failed,
        missing=situation.missing,
        pairs_needed=verdict.pairs_needed,
        detectable=_detectable(effect, detectable),
        spread=effect.spread if effect else None,
        baseline_median=median(value.baseline for value in values) if values else None,
        variant_median=median(value.variant for value in values) if values else None,
        same_kernel=same_kernel(campaign, variant),
        cautions=_cautions(pairs, metric, missing),
        with_voids=_with_voids(pairs, metric),
    )


class _Shown:
    """An effect in the two forms that a row has: a ratio (if there is one) and a difference."""

    def __init__(self, effect: Effect | None, values: Sequence[PairValue]) -> None:
        self._effect = effect
        self.difference = effect_of(values, "difference") if values else None

    def ratio(self, value: float | None) -> float | None:
        if self._effect is None or self._effect.scale != "ratio" or value is None:
            return None
        return self._effect.shown(value)

    def scaled(self, value: float | None) -> float | None:
        return None if self._effect is None or value is None else self._effect.shown(value)


def _low(interval: Interval | None) -> float | None:
    return interval.low if interval else None


def _high(interval: Interval | None) -> float | None:
    return interval.high if interval else None


def _detectable(effect: Effect | None, value: float | None) -> float | None:
    """A detectable effect as a relative change or a difference."""
    if effect is None or value is None:
        return None
    return effect.shown(value) - 1.0 if effect.scale == "ratio" else value


def _cautions(pairs: Sequence[Pair], metric: Metric, missing: Sequence[str]) -> tuple[str, ...]:
    """What the metrics say beside their values, and why some have none; each text once."""
    found = dict.fromkeys(missing)
    for pair in pairs:
        if pair.state != "valid":
            continue
        for side in (pair.baseline, pair.variant):
            figure = side.value(metric) if side else None
            if figure is not None and figure.value is not None and figure.reason:
                found.setdefault(figure.reason)
    return tuple(found)


def _with_voids(pairs: Sequence[Pair], metric: Metric) -> Sensitivity:
    values, _ = pair_values(pairs, metric, with_voids=True)
    if not values:
        return Sensitivity(0, None, None, None, None, None, None, None)
    _, effect = _effect(metric, values)
    shown = _Shown(effect, values)
    difference = effect_of(values, "difference")
    return Sensitivity(
        pairs=len(values),
        ratio=shown.ratio(effect.estimate),
        ci_low=shown.ratio(_low(effect.wide)),
        ci_high=shown.ratio(_high(effect.wide)),
        difference=difference.estimate,
        difference_ci_low=_low(difference.wide),
        difference_ci_high=_high(difference.wide),
        p=effect.p,
    )
