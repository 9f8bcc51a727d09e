"""The result of a campaign: verdict rows, void parts, kernel failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from analysis.judging.pairing import BlockFigures, Pair
from analysis.judging.wording import change_text
from analysis.stats.effect import Change, Effect
from analysis.stats.noise_floor import NoiseFloor
from analysis.stats.sample_size import MIN_PAIRS
from analysis.stats.verdict import Situation, Verdict, Word
from foundation.comparison import Scale
from foundation.contract.metric import Metric
from foundation.contract.needs import Request
from foundation.contract.results import Campaign
from foundation.errors import UsageError

#: Shown wherever the figures of such a campaign are shown.
TRACED: Final[Mapping[Request, str]] = {
    "queue": "Each page's way through the queue was traced: that costs CPU on the kernels with a"
    " compression thread and none on the others. Judge CPU time by a campaign without it.",
    "reclaim": "The parts of kswapd's cycles were timed: that costs CPU for each page, more of it in kswapd"
    " the more it does itself. Judge CPU time by a campaign without it.",
    "faults": "Each fault on a swapped-out page was timed: that costs CPU for each fault. Judge CPU time by"
    " a campaign without it.",
}


@dataclass(frozen=True)
class Question:
    """One metric of one scenario, ``variant`` against ``baseline``.

    ``primary``: named beforehand as a metric that decides. ``same_kernel``: an A/A comparison.
    """

    scenario: str
    metric: Metric
    baseline: str
    variant: str
    primary: bool
    same_kernel: bool


@dataclass(frozen=True)
class Compared:
    """The effect over the pairs with a value: on the working scale, and always as a difference.

    ``threshold`` is the practical threshold on the scale of ``effect``; the medians are those of the
    block values, in the metric's unit.
    """

    effect: Effect
    difference: Effect
    threshold: float
    baseline_median: float
    variant_median: float


@dataclass(frozen=True)
class VerdictRow:
    """A question and its answer.

    ``compared`` is None without a pair that has a value; ``with_voids`` is the same including every
    void pair and repetition with a value. Only primaries have ``p_holm``. ``detectable`` is the
    smallest change (ratio - 1, or a difference) that 80 % of campaigns with this many pairs and this
    spread would detect. ``exploratory`` rows never gate.
    """

    question: Question
    situation: Situation
    compared: Compared | None
    decision: Verdict
    p_holm: float | None
    detectable: float | None
    cautions: tuple[str, ...]
    with_voids: Compared | None

    @property
    def scenario(self) -> str:
        """The CPU condition."""
        return self.question.scenario

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self.question.metric.name

    @property
    def variant(self) -> str:
        """Name of the variant that is compared with the baseline."""
        return self.question.variant

    @property
    def primary(self) -> bool:
        """Whether the metric was named beforehand as one that decides."""
        return self.question.primary

    @property
    def verdict(self) -> Word:
        """The verdict in one word."""
        return self.decision.word

    @property
    def pairs(self) -> int:
        """Valid pairs with a value of the metric."""
        return self.compared.effect.pairs if self.compared else 0

    @property
    def p(self) -> float | None:
        """p on the working scale, not adjusted."""
        return self.compared.effect.p if self.compared else None

    @property
    def change(self) -> Change | None:
        """The effect on the working scale."""
        return self.compared.effect.change if self.compared else None

    @property
    def scale(self) -> Scale:
        """The working scale: the metric's own, or ``difference`` if a value is not above 0."""
        return self.compared.effect.scale if self.compared else self.question.metric.scale

    @property
    def exploratory(self) -> bool:
        """Whether it can never gate: too few pairs, or not a primary metric of a full campaign."""
        unfinished = self.situation.finished < self.situation.planned
        return not self.primary or unfinished or self.pairs < MIN_PAIRS

    def change_text(self) -> str:
        """The effect with its interval: a relative change in %, or a difference in the unit."""
        return change_text(self.change, self.question.metric.unit)

    def sentence(self) -> str:
        """The verdict in one line for a person."""
        parts = [f"{self.pairs} of {self.situation.planned} pairs"]
        if self.p_holm is not None:
            parts.append(f"p_holm {self.p_holm:.3g}")
        elif self.p is not None:
            parts.append(f"p {self.p:.3g}, not adjusted")
        return (
            f"{self.metric}, {self.scenario}: {self.variant} against {self.question.baseline}"
            f" {self.change_text()} ({', '.join(parts)}): {self.verdict}: {self.decision.reason}"
        )

    def alarm(self) -> str:
        """The alarm for a difference between a kernel and itself."""
        return (
            f"{self.metric}, {self.scenario}: {self.variant} is the same kernel as {self.question.baseline}"
            f" and came out {self.verdict}. Trust no verdict of this set-up."
        )


@dataclass(frozen=True)
class KernelFailure:
    """A block in which the kernel under test failed: a result of its own."""

    block: str
    scenario: str
    variant: str
    text: str


@dataclass(frozen=True)
class Void:
    """A repetition, block or pair that does not count, and why; ``what`` names it.

    ``part``: a repetition that does not count for some metrics only; ``what`` names those as well.
    """

    kind: Literal["repetition", "part", "block", "pair"]
    what: str
    scenario: str
    variant: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """A judged campaign. The rows were computed from ``pairs`` and ``blocks``.

    ``definitions`` are the hashes of the metric definitions behind the figures, separated by blanks:
    several, or not this suite's, if traces are gone and older figures were kept.
    """

    campaign: Campaign
    rows: tuple[VerdictRow, ...]
    kernel_failures: tuple[KernelFailure, ...]
    voids: tuple[Void, ...]
    noise_floor: tuple[NoiseFloor, ...]
    pairs: Mapping[tuple[str, str], tuple[Pair, ...]]
    blocks: Mapping[int, BlockFigures]
    metrics: Mapping[str, Metric]
    engines: tuple[str, ...]
    definitions: str

    def row(self, scenario: str, metric: str, variant: str) -> VerdictRow:
        """The row of one question. UsageError if the campaign has no such row."""
        for row in self.rows:
            if (row.scenario, row.metric, row.variant) == (scenario, metric, variant):
                return row
        raise UsageError(
            f"{self.campaign.root} has no verdict on {metric} of {variant} in scenario {scenario}",
            next_step="see verdicts.json for the rows that it has",
        )

    def floor(self, row: VerdictRow) -> NoiseFloor | None:
        """The noise floor for the metric and the scale of a row: how much two boots of one kernel differ.

        None if the campaign has no A/A comparison of it. A smaller effect is within the difference of a
        kernel from itself.
        """
        wanted = (row.scenario, row.metric, row.change.scale if row.change else "difference")
        floors = (one for one in self.noise_floor if (one.scenario, one.metric, one.scale) == wanted)
        return next(floors, None)

    @property
    def false_alarms(self) -> tuple[VerdictRow, ...]:
        """Primaries in which one kernel under two names differs: the set-up is not sound."""
        return tuple(
            row
            for row in self.rows
            if row.question.same_kernel and row.primary and row.verdict not in ("SAME", "UNDECIDED")
        )

    @property
    def traced(self) -> str:
        """A warning about the CPU time that recording itself cost; empty if it was small."""
        requests = {metric.request for metric in self.metrics.values()}
        return " ".join(text for request, text in TRACED.items() if request in requests)

    @property
    def failed(self) -> bool:
        """Whether the campaign as a whole failed: a kernel failed, or an A/A comparison differs."""
        return bool(self.kernel_failures or self.false_alarms)
