"""The reader of a results folder: one campaign as frozen records. Touches no device.

`foundation.contract.records` has the files. A block folder without ``block.json`` is unfinished
and does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation.contract.records import (
    BLOCK_FILE,
    CAMPAIGN_FILE,
    REPETITION_FILE,
    SCHEMA_VERSION,
    BlockResult,
    CampaignRecord,
    PlannedBlock,
    RepetitionRecord,
    VariantRecord,
    damaged,
    read_record,
)
from foundation.errors import ResultsError

METRICS_FILE: Final = "metrics.parquet"
VERDICTS_FILE: Final = "verdicts.json"
DISTRIBUTIONS_FILE: Final = "distributions.parquet"
TIMELINES_FILE: Final = "timelines.parquet"
JUDGEMENT_FILE: Final = "judgement.json"
REPORT_FILE: Final = "report.html"
TRACE_FILE: Final = "trace.perfetto-trace"


@dataclass(frozen=True, kw_only=True)
class Repetition(RepetitionRecord):
    """One measured cycle, and where it is stored."""

    folder: Path

    @property
    def trace_path(self) -> Path:
        """The trace file; it may be gone."""
        return self.folder / TRACE_FILE


@dataclass(kw_only=True, eq=False)
class Block(BlockResult):
    """One finished boot of one variant. ``repetitions`` holds valid and void ones, by index."""

    folder: Path
    place: PlannedBlock
    repetitions: tuple[Repetition, ...]

    @property
    def index(self) -> int:
        """Its number in the plan."""
        return self.place.index

    @property
    def name(self) -> str:
        """Name of the block's folder, such as ``003-patched-idle``."""
        return self.folder.name


@dataclass(frozen=True, kw_only=True)
class Campaign(CampaignRecord):
    """The content of one results folder. ``blocks`` are the finished ones, in schedule order."""

    root: Path
    blocks: tuple[Block, ...]
    unfinished: tuple[str, ...]

    @property
    def baseline(self) -> VariantRecord:
        """The first variant, which all others are compared with."""
        return self.variants[0]

    @property
    def complete(self) -> bool:
        """Whether every block of the plan is finished."""
        return len(self.blocks) == len(self.schedule)


@dataclass(frozen=True)
class _Version:
    schema_version: Any = None


def load(root: Path) -> Campaign:
    """Read a results folder. Writes nothing; ResultsError with one line for whatever is wrong."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise ResultsError(f"{root} {what}", next_step="give the folder of a campaign")
    path = root / CAMPAIGN_FILE
    if not path.exists():
        raise ResultsError(
            f"{root} has no {CAMPAIGN_FILE}", next_step="give the folder that --results named"
        )
    record = read_campaign(path)
    blocks, unfinished = _blocks(root)
    campaign = Campaign(**vars(record), root=root, blocks=blocks, unfinished=unfinished)
    _check(campaign, path)
    return campaign


def read_campaign(path: Path) -> CampaignRecord:
    """``campaign.json`` alone. ResultsError as for `read_record`, and for another schema version."""
    version = read_record(path, _Version).schema_version
    if version != SCHEMA_VERSION:
        raise ResultsError(
            f"{path} has schema version {version}, this suite has {SCHEMA_VERSION}",
            next_step="use the suite version that wrote it, or give --results a new folder",
        )
    return read_record(path, CampaignRecord)


def _check(campaign: Campaign, path: Path) -> None:
    """The plan must be consistent, and every block on disk must be in the plan."""
    names = [variant.name for variant in campaign.variants]
    if len(names) < 2 or len(set(names)) != len(names):
        raise damaged(path, "'variants' needs at least two different names")
    if not campaign.scenarios:
        raise damaged(path, "'scenarios' is empty")
    if not 0 < campaign.alpha < 1:
        raise damaged(path, "'alpha' is not between 0 and 1")
    planned = {place.index: place for place in campaign.schedule}
    if len(planned) != len(campaign.schedule):
        raise damaged(path, "'schedule' names a block index twice")
    cells = {(place.scenario, place.pair, place.variant) for place in campaign.schedule}
    if len(cells) != len(campaign.schedule):
        raise damaged(path, "'schedule' holds two blocks of one variant in one pair")
    for place in campaign.schedule:
        if place.variant not in names or place.scenario not in campaign.scenarios:
            raise damaged(path, f"'schedule' block {place.index} has an unknown variant or scenario")
    for block in campaign.blocks:
        if planned.get(block.index) != block.place:
            raise ResultsError(
                f"{block.folder / BLOCK_FILE} is not block {block.index} of the plan",
                next_step=f"it may belong to another campaign: move {block.folder} away",
            )
    seen = [block.index for block in campaign.blocks]
    if len(set(seen)) != len(seen):
        raise ResultsError(f"{campaign.root / 'blocks'} holds two folders of one block")


def _blocks(root: Path) -> tuple[tuple[Block, ...], tuple[str, ...]]:
    folders = [path for path in sorted((root / "blocks").glob("*")) if path.is_dir()]
    finished = [_block(path) for path in folders if (path / BLOCK_FILE).exists()]
    unfinished = tuple(path.name for path in folders if not (path / BLOCK_FILE).exists())
    return tuple(sorted(finished, key=lambda block: block.index)), unfinished


def _block(folder: Path) -> Block:
    path = folder / BLOCK_FILE
    place, result = read_record(path, PlannedBlock), read_record(path, BlockResult)
    if result.outcome == "kernel_failure" and result.failure is None:
        raise damaged(path, "a kernel failure without its description")
    listed = {*result.reps, *(int(key) for key in result.void_reps if key.isdigit())}
    repetitions = tuple(_repetition(folder / f"rep-{index}") for index in sorted(listed))
    return Block(**vars(result), folder=folder, place=place, repetitions=repetitions)


def _repetition(folder: Path) -> Repetition:
    record = read_record(folder / REPETITION_FILE, RepetitionRecord)
    return Repetition(**vars(record), folder=folder)
