"""Judging a results folder: figures, pairs, verdicts. A pure function of the folder and the engine."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.judging import detail_tables, metric_table
from analysis.judging.compare import compare, noise_floors
from analysis.judging.judgement import Judgement, KernelFailure, Void
from analysis.judging.measuring import Measuring
from analysis.judging.metric_table import Measured, RowKey, definitions_hash
from analysis.judging.pairing import BlockFigures, Pair, RepetitionFigures, pairs_of
from analysis.judging.records import judgement_content, verdicts_content
from analysis.metrics import all_metrics
from foundation.contract.metric import Metric
from foundation.contract.results import (
    JUDGEMENT_FILE,
    METRICS_FILE,
    VERDICTS_FILE,
    Block,
    Campaign,
    Repetition,
    load,
)
from foundation.errors import HostError, ResultsError
from foundation.files import write_atomic
from foundation.progress import Progress

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

__all__ = ["CampaignFigures", "Judgement", "figures_of", "judge"]


@dataclass(frozen=True)
class CampaignFigures:
    """Figures of the finished blocks by index, and pairs by (scenario, variant)."""

    campaign: Campaign
    metrics: dict[str, Metric]
    blocks: dict[int, BlockFigures]
    pairs: dict[tuple[str, str], tuple[Pair, ...]]


def figures_of(
    results: Path, engine: EngineChoice | None = None, *, progress: Progress | None = None
) -> CampaignFigures:
    """Measure the finished blocks of a campaign, and write metrics.parquet; errors as of `judge`."""
    campaign = load(results)
    metrics = _metrics_of(campaign)
    blocks = _measure(campaign, metrics, engine, progress or (lambda _: None))
    pairs = {
        (scenario, variant.name): pairs_of(campaign, blocks, scenario, variant.name)
        for scenario in campaign.scenarios
        for variant in campaign.variants[1:]
    }
    return CampaignFigures(campaign, metrics, blocks, pairs)


def judge(
    results: Path, engine: EngineChoice | None = None, *, progress: Progress | None = None
) -> Judgement:
    """Judge the finished blocks of a campaign; write its figures and verdicts.

    Writes metrics.parquet, verdicts.json and judgement.json, and for readable traces
    distributions.parquet and timelines.parquet. Figures of unchanged traces are reused: of any engine
    if ``engine`` is None, else only of that one. ``progress`` is called for each trace that is read.
    The same folder and engine give the same bytes. ResultsError for a folder that is damaged or not a
    results folder, HostError without an engine or if a file cannot be written.
    """
    measured = figures_of(results, engine, progress=progress)
    campaign, metrics, blocks, pairs = measured.campaign, measured.metrics, measured.blocks, measured.pairs
    made_by = {
        (one.measured.engine, one.measured.definitions)
        for figures in blocks.values()
        for one in figures.repetitions
        if one.measured.engine
    }
    judgement = Judgement(
        campaign=campaign,
        rows=compare(campaign, pairs, metrics),
        kernel_failures=_kernel_failures(campaign),
        voids=_voids(campaign, blocks, pairs),
        noise_floor=noise_floors(campaign, pairs, metrics),
        pairs=pairs,
        blocks=blocks,
        metrics=metrics,
        engines=tuple(sorted({engine_used for engine_used, _ in made_by})),
        definitions=" ".join(sorted({definitions for _, definitions in made_by})) or definitions_hash(),
    )
    _write_json(results / VERDICTS_FILE, verdicts_content(judgement))
    _write_json(results / JUDGEMENT_FILE, judgement_content(judgement))
    return judgement


def _write_json(path: Path, content: object) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically. HostError if it cannot be written."""
    try:
        write_atomic(path, text)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from error


def _metrics_of(campaign: Campaign) -> dict[str, Metric]:
    known = all_metrics()
    wanted = dict.fromkeys((*campaign.primaries, *campaign.metrics))
    undefined = [name for name in wanted if name not in known]
    if undefined:
        raise ResultsError(
            f"{campaign.root} names metrics that this suite does not define: {', '.join(undefined)}",
            next_step=f"judge it with suite version {campaign.suite_version}",
        )
    return {name: known[name] for name in wanted}


def _measure(
    campaign: Campaign,
    metrics: dict[str, Metric],
    engine: EngineChoice | None,
    progress: Progress,
) -> dict[int, BlockFigures]:
    path = campaign.root / METRICS_FILE
    details = detail_tables.read(campaign.root)
    stored = {
        digest: replace(one, detail=details.get(digest)) for digest, one in metric_table.read(path).items()
    }
    measuring = Measuring(tuple(metrics), stored, engine)
    todo = [(block, repetition) for block in campaign.blocks for repetition in block.repetitions]
    done: list[tuple[Block, Repetition, Measured]] = []
    try:
        for number, (block, repetition) in enumerate(todo, 1):
            if not measuring.has(repetition):
                progress(f"reading trace {number} of {len(todo)}: {block.name}/rep-{repetition.index}")
            done.append((block, repetition, measuring.measure(repetition)))
    finally:
        # Even after Ctrl-C, so that finished figures need not be computed again.
        _write_table(path, done, metrics)
    figures: dict[int, list[RepetitionFigures]] = {block.index: [] for block in campaign.blocks}
    for block, repetition, measured in done:
        figures[block.index].append(RepetitionFigures(block, repetition, measured))
    return {block.index: BlockFigures(block, tuple(figures[block.index])) for block in campaign.blocks}


def _write_table(
    path: Path, done: list[tuple[Block, Repetition, Measured]], metrics: dict[str, Metric]
) -> None:
    rows = [
        (
            RowKey(
                block=block.name,
                index=block.index,
                scenario=block.place.scenario,
                variant=block.place.variant,
                pair=block.place.pair,
                rep=repetition.index,
            ),
            not RepetitionFigures(block, repetition, measured).void_reasons,
            measured,
        )
        for block, repetition, measured in done
    ]
    try:
        metric_table.write(path, rows, {name: metric.unit for name, metric in metrics.items()})
        detail_tables.write(path.parent, rows)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from error


def _parts(what: str, one: RepetitionFigures) -> list[Void]:
    """The metrics for which a valid repetition does not count, one entry for each set of reasons."""
    metrics: dict[tuple[str, ...], list[str]] = {}
    for metric, reasons in one.measured.lost.items():
        metrics.setdefault(reasons, []).append(metric)
    place = one.block.place
    return [
        Void("part", f"{what} for {', '.join(names)}", place.scenario, place.variant, reasons)
        for reasons, names in metrics.items()
    ]


def _kernel_failures(campaign: Campaign) -> tuple[KernelFailure, ...]:
    return tuple(
        KernelFailure(block.name, block.place.scenario, block.place.variant, block.failure or "")
        for block in campaign.blocks
        if block.outcome == "kernel_failure"
    )


def _voids(
    campaign: Campaign,
    blocks: dict[int, BlockFigures],
    pairs: dict[tuple[str, str], tuple[Pair, ...]],
) -> tuple[Void, ...]:
    voids: list[Void] = []
    for figures in blocks.values():
        place, block = figures.block.place, figures.block.name
        for one in figures.repetitions:
            what = f"{block}/rep-{one.repetition.index}"
            voids.append(Void("repetition", what, place.scenario, place.variant, one.void_reasons))
            if not one.void_reasons:
                voids += _parts(what, one)
        voids.append(Void("block", block, place.scenario, place.variant, figures.void_reasons))
    for (scenario, variant), of_comparison in pairs.items():
        for pair in of_comparison:
            if pair.state == "void":
                what = f"pair {pair.number} of {scenario}, {campaign.baseline.name} and {variant}"
                voids.append(Void("pair", what, scenario, variant, pair.reasons))
    return tuple(void for void in voids if void.reasons)
