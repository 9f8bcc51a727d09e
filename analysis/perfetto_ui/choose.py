"""Which repetitions of a campaign to look at: those of a pair, or of the pair with the slowest moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from analysis.judging import metric_table
from analysis.judging.metric_table import Measured
from foundation.contract.results import METRICS_FILE, Block, Campaign, Repetition
from foundation.errors import TraceError, UsageError

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

Slowest = Literal["switch", "stall"]

#: The figures that say how slow the slowest moment of a repetition was, in ms.
_FIGURES: Final[dict[Slowest, tuple[str, ...]]] = {
    "switch": tuple(f"switch_latency_{kind}_max_ms" for kind in ("hot", "warm", "cold")),
    "stall": ("direct_reclaim_max_ms",),
}


@dataclass(frozen=True)
class Side:
    """One repetition of one variant; its trace is there."""

    block: Block
    repetition: Repetition

    @property
    def name(self) -> str:
        """Such as ``006-baseline-busy/rep-0``."""
        return f"{self.block.name}/rep-{self.repetition.index}"


@dataclass(frozen=True)
class Chosen:
    """Baseline and variant of one pair, in this order; the repetitions have the same index."""

    scenario: str
    pair: int
    sides: tuple[Side, Side]


def choose(
    campaign: Campaign,
    *,
    scenario: str | None = None,
    variant: str | None = None,
    pair: int | None = None,
    slowest: Slowest | None = None,
    engine: EngineChoice | None = None,
) -> Chosen:
    """The pair to look at: the one asked for, or the one with the slowest moment, or the first.

    ``scenario`` None: any; ``variant`` None: the first one that is compared with the baseline.
    Kept figures say where the slowest moment is; a trace without any is read for them.
    UsageError if there is no such pair with both traces here, or nothing slow in any.
    """
    variant = variant or campaign.variants[1].name
    if variant not in [one.name for one in campaign.variants[1:]]:
        raise UsageError(
            f"{campaign.root} compares no variant {variant!r} with {campaign.baseline.name}",
            next_step=f"--variant is one of {', '.join(one.name for one in campaign.variants[1:])}",
        )
    if scenario is not None and scenario not in campaign.scenarios:
        raise UsageError(
            f"{campaign.root} has no scenario {scenario!r}",
            next_step=f"--scenario is one of {', '.join(campaign.scenarios)}",
        )
    found = [
        one
        for one in _candidates(campaign, variant)
        if scenario in (None, one.scenario) and pair in (None, one.pair)
    ]
    if not found:
        raise _nothing(campaign, variant, scenario, pair)
    if slowest is None or len(found) == 1:
        return found[0]
    kept = metric_table.read(campaign.root / METRICS_FILE)
    times = {side.name: _ms(kept, side, slowest, engine) for one in found for side in one.sides}
    known = [one for one in found if any(times[side.name] is not None for side in one.sides)]
    if not known:
        lacking = "app switch with a time" if slowest == "switch" else "direct reclaim"
        raise UsageError(f"{campaign.root} holds no {lacking}", next_step="leave --slowest out")
    return max(known, key=lambda one: max(times[side.name] or 0.0 for side in one.sides))


def _candidates(campaign: Campaign, variant: str) -> list[Chosen]:
    """Pairs of which both traces are here, in run order; one entry for each repetition."""
    names = (campaign.baseline.name, variant)
    blocks = {
        (block.place.scenario, block.place.pair, block.place.variant): block for block in campaign.blocks
    }
    found: list[Chosen] = []
    for scenario, pair in dict.fromkeys((place.scenario, place.pair) for place in campaign.schedule):
        both = [blocks.get((scenario, pair, name)) for name in names]
        sides = [_sides(block) for block in both if block is not None]
        if len(sides) == 2:
            for index in sorted(sides[0].keys() & sides[1].keys()):
                found.append(Chosen(scenario, pair, (sides[0][index], sides[1][index])))
    return found


def _sides(block: Block) -> dict[int, Side]:
    here: Iterable[Repetition] = (one for one in block.repetitions if one.trace_path.is_file())
    return {one.index: Side(block, one) for one in here}


def _ms(
    kept: Mapping[str, Measured], side: Side, slowest: Slowest, engine: EngineChoice | None
) -> float | None:
    names = _FIGURES[slowest]
    measured = kept.get(side.repetition.trace.sha256)
    if measured is not None and all(name in measured.figures for name in names):
        values: Sequence[float | None] = [measured.figures[name].value for name in names]
    else:
        from analysis.metrics.evaluation import evaluate

        try:
            found = evaluate(side.repetition.trace_path, names, engine, lossy=True)
        except TraceError:
            return None
        values = [found.figures[name].value for name in names]
    return max((value for value in values if value is not None), default=None)


def _nothing(campaign: Campaign, variant: str, scenario: str | None, pair: int | None) -> UsageError:
    where = f" in scenario {scenario}" if scenario else ""
    every = [one for one in _candidates(campaign, variant) if scenario in (None, one.scenario)]
    if every and pair is not None:
        pairs = ", ".join(str(number) for number in dict.fromkeys(one.pair for one in every))
        return UsageError(
            f"{campaign.root} has no pair {pair} with both traces{where}",
            next_step=f"--pair is one of {pairs}",
        )
    return UsageError(
        f"{campaign.root} holds no pair of {campaign.baseline.name} and {variant} with both traces{where}",
        next_step="a packed copy has none: give the folder that the campaign wrote",
    )
