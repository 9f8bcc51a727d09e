"""Copies a results folder without its traces: small enough to publish, and can be judged again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.judging.pipeline import judge
from foundation.contract.records import CAMPAIGN_FILE
from foundation.contract.results import DISTRIBUTIONS_FILE, METRICS_FILE, TIMELINES_FILE, load
from foundation.errors import HostError, UsageError

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

#: Below blocks/NNN-variant-scenario/: the records, and the console log of a kernel that failed.
_BLOCK_FILES: Final = ("block.json", "kernel.log", "rep-*/rep.json", "rep-*/workload.jsonl")
_CAMPAIGN_FILES: Final = (CAMPAIGN_FILE, METRICS_FILE)
#: Written only if traces could be read.
_DETAIL_FILES: Final = (DISTRIBUTIONS_FILE, TIMELINES_FILE)


def pack(results: Path, into: Path, engine: EngineChoice | None = None) -> list[Path]:
    """Judge ``results`` and copy its records and metrics into the new folder ``into``.

    Traces, counters and the files that `analysis report` writes are left out. Judging the copy gives
    the same verdicts.json, because metrics are stored by the hash of their trace. Returns the files,
    relative to ``into``. UsageError if ``into`` exists, ResultsError as `judge`, HostError if it
    cannot be written; an incomplete copy is removed.
    """
    if into.exists():
        raise UsageError(f"{into} already exists", next_step="name a folder that does not")
    judge(results, engine)
    campaign = load(results)
    files = [results / name for name in _CAMPAIGN_FILES]
    files += [path for name in _DETAIL_FILES if (path := results / name).is_file()]
    for block in campaign.blocks:
        files += [path for pattern in _BLOCK_FILES for path in sorted(block.folder.glob(pattern))]
    names = [path.relative_to(results) for path in files]
    try:
        for name in names:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(results / name, into / name)
    except BaseException as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, OSError):
            raise HostError(f"{into} cannot be written: {error.strerror}") from error
        raise
    return names
