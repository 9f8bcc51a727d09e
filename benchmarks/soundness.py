"""Simulated campaigns through the suite's own statistics: how often is a verdict wrong?

Run with ``python -m benchmarks.soundness``; docs/statistics.md has a measured table. Each campaign
uses the real schedule and the real rule, and its true effect is known. For comparison, some methods
that the suite does not use are applied to the same data.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import ttest_ind

from analysis.stats import holm
from analysis.stats.effect import Effect, PairValue, effect_of, practical_threshold, working_scale
from analysis.stats.sample_size import pairs_for_p
from analysis.stats.signflip import Floats
from analysis.stats.verdict import Situation, Word, decide
from harness.campaign.schedule import schedule

ALPHA = 0.05
METRICS = 3
THRESHOLD = 0.05

Noise = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def normal(draw: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Standard normal."""
    return draw.normal(size=shape)


def skewed(draw: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Exponential, centred: most boots alike, some much worse."""
    return draw.exponential(size=shape) - 1.0


def heavy(draw: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 2 degrees of freedom: infinite variance."""
    result: Floats = draw.standard_t(2, size=shape)
    return result


@dataclass(frozen=True)
class World:
    """How block values arise. Spreads, ``drift`` (a block) and ``jump`` are of the log of a value."""

    name: str
    pairs: int = 8
    reps: int = 2
    effect: float = 1.0
    boot_spread: float = 0.05
    rep_spread: float = 0.02
    drift: float = 0.0
    jump: float = 0.0
    noise: Noise = normal
    spikes: float = 0.0
    poisson: float | None = None
    in_order: bool = False


@dataclass
class Tally:
    """Counts over all campaigns of a world; the metrics of a campaign are counted together."""

    campaigns: int = 0
    below_alpha: int = 0
    family: int = 0
    wrong_campaigns: int = 0
    covered: int = 0
    words: dict[Word, int] = field(default_factory=dict)

    @property
    def metrics(self) -> int:
        """Metrics judged in all campaigns."""
        return self.campaigns * METRICS


def blocks_of(world: World, draw: np.random.Generator) -> tuple[Floats, list[tuple[int, int]]]:
    """Values by (block in run order, metric, repetition), and for each pair (baseline, variant)."""
    planned = schedule(("a", "b"), ("idle",), world.pairs, int(draw.integers(2**31)), ("lane",))
    places = [(block.pair, block.variant) for block in planned]
    if world.in_order:
        places = [(n, "a") for n in range(world.pairs)] + [(n, "b") for n in range(world.pairs)]
    count = len(places)
    # Half of a boot's variation is common to its metrics: the primaries are not independent.
    own = world.noise(draw, (count, METRICS, 1))
    common = world.noise(draw, (count, 1, 1))
    boot = world.boot_spread * (own + common) / math.sqrt(2)
    logs = boot + world.rep_spread * world.noise(draw, (count, METRICS, world.reps))
    logs += world.drift * np.arange(count)[:, None, None]
    # A state that changes once and permanently: a full battery, a warmer room.
    logs += world.jump * (np.arange(count) >= draw.integers(count))[:, None, None]
    logs += math.log(1.5) * (draw.random(count) < world.spikes)[:, None, None]
    variant = np.array([name == "b" for _, name in places])
    logs[variant] += math.log(world.effect)
    values: Floats = np.exp(logs)
    if world.poisson is not None:
        values = draw.poisson(world.poisson * values).astype(float)
    index = {place: number for number, place in enumerate(places)}
    return values, [(index[n, "a"], index[n, "b"]) for n in range(world.pairs)]


def effects_of(values: Floats, pairs: Sequence[tuple[int, int]]) -> list[tuple[Effect, float]]:
    """Effect and threshold of each metric, by the suite's own functions."""
    effects = []
    for metric in range(METRICS):
        means = values[:, metric, :].mean(axis=1)
        sides = [PairValue(n, float(means[a]), float(means[b])) for n, (a, b) in enumerate(pairs)]
        scale = working_scale("ratio", sides)
        effects.append((effect_of(sides, scale), practical_threshold(THRESHOLD, scale, sides)))
    return effects


def judged(effects: Sequence[tuple[Effect, float]]) -> tuple[list[Word], list[float]]:
    """Verdicts of a campaign's primaries, and their p by Holm."""
    adjusted = holm.adjust({str(n): effect.p for n, (effect, _) in enumerate(effects)})
    p = [value if value is not None else 1.0 for value in adjusted.values()]
    count = effects[0][0].pairs
    words = [
        decide(
            effect,
            Situation(planned=count, finished=count, void=0, failed=0, missing=0),
            direction="lower",
            threshold=threshold,
            p_adjusted=p[n],
            alpha=ALPHA,
            tests=METRICS,
        ).word
        for n, (effect, threshold) in enumerate(effects)
    ]
    return words, p


def true_words(world: World) -> set[Word]:
    """Verdicts that are right in a world."""
    size = abs(math.log(world.effect))
    right: set[Word] = {"UNDECIDED"}
    if size < math.log1p(THRESHOLD) - 1e-12:
        right.add("SAME")
    if size > math.log1p(THRESHOLD) + 1e-12:
        right.add("IMPROVED" if world.effect < 1 else "REGRESSED")
    return right


def simulate(world: World, campaigns: int, seed: int) -> Tally:
    """Judge ``campaigns`` campaigns of a world."""
    tally = Tally(campaigns)
    right = true_words(world)
    for number in range(campaigns):
        draw = np.random.default_rng((seed, number))
        values, pairs = blocks_of(world, draw)
        effects = effects_of(values, pairs)
        words, p = judged(effects)
        tally.below_alpha += sum(effect.p < ALPHA for effect, _ in effects)
        tally.family += any(value < ALPHA for value in p)
        tally.wrong_campaigns += any(word not in right for word in words)
        for word, (effect, _) in zip(words, effects, strict=True):
            tally.words[word] = tally.words.get(word, 0) + 1
            truth = math.log(world.effect) if effect.scale == "ratio" else 0.0
            tally.covered += effect.wide is not None and effect.wide.low <= truth <= effect.wide.high
    return tally


def repetitions_as_n(world: World, campaigns: int, seed: int) -> float:
    """Share of p < 0.05 if every repetition counts towards n in an unpaired t test."""
    hits = 0
    for number in range(campaigns):
        values, pairs = blocks_of(world, np.random.default_rng((seed, number)))
        logs = np.log(values[:, 0, :])
        a, b = logs[[a for a, _ in pairs]].ravel(), logs[[b for _, b in pairs]].ravel()
        hits += float(ttest_ind(a, b).pvalue) < ALPHA
    return hits / campaigns


def bootstrap_coverage(world: World, campaigns: int, seed: int) -> float:
    """Coverage of the 95 % percentile bootstrap of the mean log ratio."""
    held = 0
    for number in range(campaigns):
        draw = np.random.default_rng((seed, number))
        values, pairs = blocks_of(world, draw)
        means = np.log(values[:, 0, :].mean(axis=1))
        differences = np.array([means[b] - means[a] for a, b in pairs])
        drawn = draw.integers(0, world.pairs, size=(1000, world.pairs))
        low, high = np.percentile(differences[drawn].mean(axis=1), (2.5, 97.5))
        held += bool(low <= math.log(world.effect) <= high)
    return held / campaigns


def peeking(world: World, campaigns: int, seed: int) -> tuple[float, float]:
    """Share of campaigns with p by Holm < 0.05: at the planned end, and at any earlier look or the end."""
    at_end = on_the_way = 0
    first = pairs_for_p(ALPHA, METRICS)
    for number in range(campaigns):
        values, pairs = blocks_of(world, np.random.default_rng((seed, number)))
        looks = [
            any(p < ALPHA for p in judged(effects_of(values, pairs[:count]))[1])
            for count in range(first, len(pairs) + 1)
        ]
        at_end += looks[-1]
        on_the_way += any(looks)
    return at_end / campaigns, on_the_way / campaigns


CALM = World("8 pairs, boots 5 %, repetitions 2 %")

NO_EFFECT = (
    CALM,
    replace(CALM, name="6 pairs", pairs=6),
    replace(CALM, name="7 pairs", pairs=7),
    replace(CALM, name="12 pairs", pairs=12),
    replace(CALM, name="20 pairs (sampled)", pairs=20),
    replace(CALM, name="skewed boots", noise=skewed),
    replace(CALM, name="heavy-tailed boots (t, 2 df)", noise=heavy),
    replace(CALM, name="one block in ten 50 % worse", spikes=0.1),
    replace(CALM, name="boots 10 %, repetitions 0.5 %", boot_spread=0.10, rep_spread=0.005),
    replace(CALM, name="drift 2 % a block", drift=0.02),
    replace(CALM, name="one jump of 30 %", jump=0.3),
    replace(CALM, name="counts of mean 1.5 (differences)", poisson=1.5),
    replace(CALM, name="NOT OURS: drift 1 % a block, AAAA...BBBB", drift=0.01, in_order=True),
)

EFFECTS = (
    *(
        replace(CALM, name=f"{change:+.0%}, {pairs} pairs", effect=1 + change, pairs=pairs)
        for change in (-0.10, -0.20, -0.30)
        for pairs in (7, 8, 12)
    ),
    replace(CALM, name="+150 %, 8 pairs, skewed", effect=2.5, noise=skewed, boot_spread=0.15),
    replace(CALM, name="-30 %, 8 pairs, drift 2 % a block", effect=0.7, drift=0.02),
    replace(
        CALM, name="at the threshold (+5 %), 12 pairs, boots 2 %", effect=1.05, pairs=12, boot_spread=0.02
    ),
    replace(CALM, name="none, 8 pairs, boots 2 %", boot_spread=0.02, rep_spread=0.01),
    replace(CALM, name="none, 12 pairs, boots 2 %", pairs=12, boot_spread=0.02, rep_spread=0.01),
)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if n == 0 else '---:' for n in range(len(heads)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def percent(share: float) -> str:
    """A share in % with one decimal."""
    return f"{share * 100:.1f} %"


def no_effect_row(world: World, campaigns: int, seed: int) -> list[str]:
    """Row of the table of worlds without an effect."""
    tally = simulate(world, campaigns, seed)
    return [
        world.name,
        percent(tally.below_alpha / tally.metrics),
        percent(tally.family / campaigns),
        percent(tally.wrong_campaigns / campaigns),
        percent(tally.covered / tally.metrics),
    ]


def effect_row(world: World, campaigns: int, seed: int) -> list[str]:
    """Row of the table of worlds with an effect."""
    tally = simulate(world, campaigns, seed)
    words: tuple[Word, ...] = ("IMPROVED", "REGRESSED", "SAME", "UNDECIDED")
    shares = [percent(tally.words.get(word, 0) / tally.metrics) for word in words]
    return [world.name, *shares, percent(tally.covered / tally.metrics)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; writes no file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soundness", description=__doc__)
    parser.add_argument("--campaigns", type=int, default=2000, help="campaigns a row")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    count, seed = options.campaigns, options.seed
    began = time.monotonic()
    print(f"{count} campaigns a row, {METRICS} primaries each, seed {seed}\n")
    heads = ("no effect", "p < 0.05", "any p_holm < 0.05", "any wrong verdict", "95 % interval holds")
    for line in table(heads, (no_effect_row(world, count, seed) for world in NO_EFFECT)):
        print(line, flush=True)
    effect_heads = ("effect", "IMPROVED", "REGRESSED", "SAME", "UNDECIDED", "95 % interval holds")
    print()
    for line in table(effect_heads, (effect_row(world, count, seed) for world in EFFECTS)):
        print(line, flush=True)
    print()
    for line in table(("ways not taken, no effect", "measured"), others(count, seed)):
        print(line, flush=True)
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


def others(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Methods that the suite does not use, on the same worlds."""
    boots = replace(CALM, boot_spread=0.10, rep_spread=0.005, reps=5)
    yield "repetitions as n (5 a boot), t test: p < 0.05", percent(repetitions_as_n(boots, count, seed))
    for pairs in (6, 8):
        world = replace(CALM, pairs=pairs)
        name = f"percentile bootstrap, {pairs} pairs: 95 % interval holds"
        yield name, percent(bootstrap_coverage(world, count, seed))
    at_end, on_the_way = peeking(replace(CALM, pairs=16), count // 4, seed)
    yield "16 pairs planned, judged at the end: any p_holm < 0.05", percent(at_end)
    yield "the same, judged after each pair from 7 on, stopped at the first", percent(on_the_way)


if __name__ == "__main__":
    sys.exit(main())
