"""Choose the repetitions to look at: those of a pair, or of the pair with the slowest moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from analysis.judging import metric_table
from analysis.judging.metric_table import Measured
from foundation.contract.results import METRICS_FILE, Block, Campaign, Repetition
from foundation.errors import TraceError, UsageError

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

Slowest = Literal["switch", "stall"]

#: The metrics with the length of the slowest moment of a repetition, in ms.
_METRICS: Final[dict[Slowest, tuple[str, ...]]] = {
    "switch": tuple(f"switch_latency_{kind}_max_ms" for kind in ("hot", "warm", "cold")),
    "stall": ("direct_reclaim_max_ms",),
}


@dataclass(frozen=True)
class Selection:
    """Which pair to show. None: any scenario, the first variant, any pair, no particular moment."""

    scenario: str | None = None
    variant: str | None = None
    pair: int | None = None
    slowest: Slowest | None = None


@dataclass(frozen=True)
class Side:
    """One repetition of one variant; its trace file exists."""

    block: Block
    repetition: Repetition

    @property
    def name(self) -> str:
        """Such as ``006-baseline-busy/rep-0``."""
        return f"{self.block.name}/rep-{self.repetition.index}"


@dataclass(frozen=True)
class Chosen:
    """Baseline and variant of one pair, in this order; both repetitions have the same index."""

    scenario: str
    pair: int
    sides: tuple[Side, Side]


def choose(campaign: Campaign, selection: Selection, engine: EngineChoice | None = None) -> Chosen:
    """The requested pair, or of several the one with the slowest moment, or the first.

    The slowest moment comes from metrics.parquet; a trace that is not in it is evaluated by
    ``engine``. UsageError if there is no matching pair with both traces, or no such moment in any.
    """
    scenario, pair, slowest = selection.scenario, selection.pair, selection.slowest
    variant = selection.variant or campaign.variants[1].name
    if variant not in [one.name for one in campaign.variants[1:]]:
        raise UsageError(
            f"{campaign.root} has no variant {variant!r} to compare with {campaign.baseline.name}",
            next_step=f"--variant must be one of {', '.join(one.name for one in campaign.variants[1:])}",
        )
    if scenario is not None and scenario not in campaign.scenarios:
        raise UsageError(
            f"{campaign.root} has no scenario {scenario!r}",
            next_step=f"--scenario must be one of {', '.join(campaign.scenarios)}",
        )
    pairs = [one for one in _candidates(campaign, variant) if scenario in (None, one.scenario)]
    matching = [one for one in pairs if pair in (None, one.pair)]
    if not matching:
        where = "with both traces" + (f" in scenario {scenario}" if scenario else "")
        if pairs:
            numbers = ", ".join(map(str, sorted({one.pair for one in pairs})))
            raise UsageError(
                f"{campaign.root} has no pair {pair} {where}",
                next_step=f"--pair must be one of {numbers}",
            )
        raise UsageError(
            f"{campaign.root} has no pair of {campaign.baseline.name} and {variant} {where}",
            next_step="a packed copy has no traces: give the folder that the campaign wrote",
        )
    if slowest is None or len(matching) == 1:
        return matching[0]
    kept = metric_table.read(campaign.root / METRICS_FILE)
    times = {side.name: _ms(kept, side, slowest, engine) for one in matching for side in one.sides}
    timed = [one for one in matching if any(times[side.name] is not None for side in one.sides)]
    if not timed:
        lacking = "app switch with a launch time" if slowest == "switch" else "direct reclaim"
        raise UsageError(f"{campaign.root} has no {lacking}", next_step="leave --slowest out")
    return max(timed, key=lambda one: max(times[side.name] or 0.0 for side in one.sides))


def _candidates(campaign: Campaign, variant: str) -> list[Chosen]:
    """Pairs with both traces, in run order; one entry per repetition."""
    names = (campaign.baseline.name, variant)
    blocks = {
        (block.place.scenario, block.place.pair, block.place.variant): block for block in campaign.blocks
    }
    candidates: list[Chosen] = []
    for scenario, pair in dict.fromkeys((place.scenario, place.pair) for place in campaign.schedule):
        both = [blocks.get((scenario, pair, name)) for name in names]
        sides = [
            {one.index: Side(block, one) for one in block.repetitions if one.trace_path.is_file()}
            for block in both
            if block is not None
        ]
        if len(sides) == 2:
            for index in sorted(sides[0].keys() & sides[1].keys()):
                candidates.append(Chosen(scenario, pair, (sides[0][index], sides[1][index])))
    return candidates


def _ms(
    kept: Mapping[str, Measured], side: Side, slowest: Slowest, engine: EngineChoice | None
) -> float | None:
    names = _METRICS[slowest]
    measured = kept.get(side.repetition.trace.sha256)
    if measured is not None and all(name in measured.figures for name in names):
        values: Sequence[float | None] = [measured.figures[name].value for name in names]
    else:
        from analysis.metrics.evaluation import evaluate

        try:
            evaluated = evaluate(side.repetition.trace_path, names, engine, lossy=True)
        except TraceError:
            return None
        values = [evaluated.figures[name].value for name in names]
    return max((value for value in values if value is not None), default=None)
