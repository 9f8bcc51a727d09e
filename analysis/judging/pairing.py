"""From repetitions to block values to pairs: what counts, what is void, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from analysis.judging.metric_table import Measured
from analysis.stats.effect import PairValue
from analysis.stats.verdict import Situation
from analysis.trace.figure import Figure, unknown
from foundation.contract.metric import Metric
from foundation.contract.results import Block, Campaign, Repetition
from foundation.contract.zram_identity import objection, zram_of

PairState = Literal["valid", "void", "kernel_failure", "unfinished"]


@dataclass(frozen=True)
class RepetitionFigures:
    """A repetition with the figures of its trace."""

    block: Block
    repetition: Repetition
    measured: Measured

    @property
    def void_reasons(self) -> tuple[str, ...]:
        """Why this repetition is void, when it ran or because of its trace; empty if it is valid."""
        recorded = self.repetition.void_reasons
        if not self.repetition.valid and not recorded:
            recorded = ("void when it was recorded",)
        return (*recorded, *self.measured.trace_reasons)

    def lost(self, metric: Metric) -> tuple[str, ...]:
        """What the trace lost of the data of this metric, apart from `void_reasons`."""
        return self.measured.lost.get(metric.name, ())


@dataclass(frozen=True)
class BlockFigures:
    """A finished block with all its repetitions."""

    block: Block
    repetitions: tuple[RepetitionFigures, ...]

    @property
    def void_reasons(self) -> tuple[str, ...]:
        """Why the block is void; empty if it is not. A block with a kernel failure is not void."""
        if self.block.outcome == "void":
            return self.block.void_reasons or ("void when it was recorded",)
        if self.block.outcome == "valid" and all(rep.void_reasons for rep in self.repetitions):
            reasons = (reason for rep in self.repetitions for reason in rep.measured.trace_reasons)
            return ("no valid repetition is left", *dict.fromkeys(reasons))
        return ()

    def void_for(self, metric: Metric) -> tuple[str, ...]:
        """Why a block that is not void is void for ``metric`` alone: no repetition has all its data."""
        valid = [rep for rep in self.repetitions if not rep.void_reasons]
        if not valid or any(not rep.lost(metric) for rep in valid):
            return ()
        return tuple(dict.fromkeys(reason for rep in valid for reason in rep.lost(metric)))

    def value(self, metric: Metric, *, with_voids: bool = False) -> Figure:
        """The value of the block: mean or median (``metric.reduce``) of its valid repetitions.

        Without those that lost data of the metric. ``with_voids`` includes both. Unknown if no
        repetition has a value.
        """
        taken = [
            rep for rep in self.repetitions if with_voids or not (rep.void_reasons or rep.lost(metric))
        ]
        figures = [rep.measured.figures.get(metric.name, unknown("not computed")) for rep in taken]
        known = [figure.value for figure in figures if figure.value is not None]
        reason = next((figure.reason for figure in figures if figure.reason), None)
        if not known:
            return unknown(reason or "no repetition")
        return Figure(fmean(known) if metric.reduce == "mean" else median(known), reason)


@dataclass(frozen=True)
class PairValues:
    """Values of pairs for one metric.

    ``missing`` holds a reason for each valid pair without a value, ``void`` one for each pair that is
    void for this metric alone.
    """

    values: tuple[PairValue, ...]
    missing: tuple[str, ...]
    void: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """One pair of a comparison: the block of the baseline and that of the variant, None until finished.

    ``objection``: why the two cannot be compared, though each is valid.
    """

    number: int
    state: PairState
    baseline: BlockFigures | None
    variant: BlockFigures | None
    objection: str | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the pair is void, each reason with its block."""
        of_blocks = tuple(
            f"{figures.block.name}: {reason}"
            for figures in (self.baseline, self.variant)
            if figures is not None
            for reason in figures.void_reasons
        )
        return of_blocks if self.objection is None else (*of_blocks, self.objection)


def pairs_of(
    campaign: Campaign, blocks: Mapping[int, BlockFigures], scenario: str, variant: str
) -> tuple[Pair, ...]:
    """All planned pairs of one comparison, in order. ``blocks`` holds the finished ones by index."""
    places: dict[int, dict[str, int]] = {}
    for place in campaign.schedule:
        if place.scenario == scenario:
            places.setdefault(place.pair, {})[place.variant] = place.index
    pairs = []
    for number, indices in sorted(places.items()):
        if campaign.baseline.name not in indices or variant not in indices:
            continue
        first, second = blocks.get(indices[campaign.baseline.name]), blocks.get(indices[variant])
        why = _objection(campaign, variant, first, second)
        state = _state(first, second)
        pairs.append(Pair(number, "void" if why and state == "valid" else state, first, second, why))
    return tuple(pairs)


def _objection(
    campaign: Campaign, variant: str, first: BlockFigures | None, second: BlockFigures | None
) -> str | None:
    """Why the page sizes or the zrams of the two blocks forbid a comparison."""
    if first is None or second is None:
        return None
    sizes = [one.block.identity.get("page_size_bytes") for one in (first, second)]
    if None not in sizes and sizes[0] != sizes[1]:
        return f"pages of {sizes[0]} and {sizes[1]} bytes: counts of pages are not comparable"
    record = next(one for one in campaign.variants if one.name == variant)
    zrams = (zram_of(one.block.identity) for one in (first, second))
    return objection(campaign.baseline, record, *zrams)


def _state(first: BlockFigures | None, second: BlockFigures | None) -> PairState:
    finished = [figures for figures in (first, second) if figures is not None]
    if any(figures.block.outcome == "kernel_failure" for figures in finished):
        return "kernel_failure"
    if len(finished) < 2:
        return "unfinished"
    if any(figures.void_reasons for figures in finished):
        return "void"
    return "valid"


def pair_values(pairs: Sequence[Pair], metric: Metric, *, with_voids: bool = False) -> PairValues:
    """Values of the valid pairs, and a reason for each valid pair without one.

    ``with_voids`` includes void pairs and repetitions, and those void for this metric alone.
    """
    wanted = ("valid", "void") if with_voids else ("valid",)
    values: list[PairValue] = []
    missing: list[str] = []
    void: list[str] = []
    for pair in pairs:
        if pair.state not in wanted or pair.baseline is None or pair.variant is None:
            continue
        lost = [*pair.baseline.void_for(metric), *pair.variant.void_for(metric)]
        if lost and not with_voids:
            void.append(f"the trace lost data that it needs: {lost[0]}")
            continue
        figures = [side.value(metric, with_voids=with_voids) for side in (pair.baseline, pair.variant)]
        first, second = figures[0].value, figures[1].value
        if first is None or second is None:
            missing.append(next(f.reason or "not known" for f in figures if f.value is None))
        else:
            values.append(PairValue(pair.number, first, second))
    return PairValues(tuple(values), tuple(missing), tuple(void))


def situation_of(pairs: Sequence[Pair], found: PairValues) -> Situation:
    """Counts of a comparison; a pair with a kernel failure counts as finished."""
    states, missing = [pair.state for pair in pairs], found.missing
    return Situation(
        planned=len(pairs),
        finished=len(pairs) - states.count("unfinished"),
        void=states.count("void") + len(found.void),
        failed=states.count("kernel_failure"),
        missing=len(missing),
        missing_reason=missing[0] if missing else "",
    )
