"""Writes a results folder: append-only, a repetition is complete or absent.

`foundation.contract.results` reads it; `foundation.contract.records` defines the files.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from foundation.contract.records import (
    BLOCK_FILE,
    CAMPAIGN_FILE,
    REPETITION_FILE,
    BlockResult,
    CampaignRecord,
    PlannedBlock,
    RepetitionRecord,
    read_record,
    write_record,
)
from foundation.contract.results import read_campaign
from foundation.errors import HostError, ResultsError, UsageError
from foundation.files import PARTIAL, lock_file

MIN_FREE_BYTES = 512 * 1024 * 1024


@dataclass
class Repetition:
    """A repetition that is being recorded into ``folder``, where readers do not look before `commit`."""

    folder: Path
    final: Path

    def commit(self, record: RepetitionRecord, more: Mapping[str, Any]) -> None:
        """Make the complete repetition visible; ``more`` are further keys of its ``rep.json``."""
        write_record(self.folder / REPETITION_FILE, record, more)
        self.folder.replace(self.final)

    def abandon(self) -> None:
        """Delete the incomplete repetition."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Store:
    """One campaign's folder, held by one process at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: IO[str] | None = None

    @property
    def campaign_file(self) -> Path:
        """The path of ``campaign.json``, which may not exist yet."""
        return self.root / CAMPAIGN_FILE

    def check_place(self) -> None:
        """ResultsError or HostError if this neither is nor can become a results folder. Reads only."""
        there = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        if not there.is_dir():
            raise ResultsError(
                f"{there} is a file, not a results folder", next_step="give --results another path"
            )
        if there == self.root and any(self.root.iterdir()) and not self._looks_ours():
            raise ResultsError(
                f"{self.root} holds other files and no campaign.json",
                next_step="give --results an empty folder",
            )
        # access(2) reports /proc and /sys as writable for root, but they refuse new files.
        if not os.access(there, os.W_OK) or str(there.resolve()).startswith(("/proc", "/sys")):
            raise HostError(f"{there} cannot be written", next_step="give --results another path")

    def open(self) -> None:
        """Create and lock the folder. UsageError if another run holds it, ResultsError, HostError."""
        self.check_place()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(f"{self.root} cannot be created: {error.strerror}") from error
        try:
            self._lock = lock_file(self.root / ".lock")
        except BlockingIOError as error:
            raise UsageError(
                f"{self.root} is in use by another run",
                next_step="wait for it, or give --results another folder",
            ) from error
        except OSError as error:
            raise HostError(
                f"{self.root} cannot be locked: {error.strerror}", next_step="give --results another path"
            ) from error

    def _looks_ours(self) -> bool:
        return self.campaign_file.exists() or all(
            path.name in (".lock", "junit.xml")
            or (path.name.startswith("campaign.json.") and path.name.endswith(PARTIAL))
            for path in self.root.iterdir()
        )

    def close(self) -> None:
        """Unlock the folder. May be called twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def stored_campaign(self) -> CampaignRecord | None:
        """The campaign that the folder holds, None for a new folder. ResultsError."""
        return read_campaign(self.campaign_file) if self.campaign_file.exists() else None

    def begin(self, campaign: CampaignRecord, identity: Mapping[str, object]) -> None:
        """Write ``campaign.json``; if it exists, `check_same` instead."""
        if self.campaign_file.exists():
            self.check_same(identity)
        else:
            write_record(self.campaign_file, campaign)

    def check_same(self, identity: Mapping[str, object]) -> None:
        """UsageError if the folder holds a campaign that differs from ``identity`` in a field."""
        stored = self.stored_campaign()
        for key, wanted in identity.items():
            if stored is not None and getattr(stored, key) != wanted:
                raise UsageError(
                    f"{self.root} was started with another {key}",
                    next_step="repeat the first command to resume it, or give --results a new folder",
                )

    def block_folder(self, block: PlannedBlock) -> Path:
        """The folder of ``block``, which may not exist yet."""
        return self.root / "blocks" / block.folder()

    def finished(self, block: PlannedBlock) -> bool:
        """Whether ``block`` has a stored result."""
        return (self.block_folder(block) / BLOCK_FILE).exists()

    def pair_finished(self, block: PlannedBlock, blocks: Sequence[PlannedBlock]) -> bool:
        """Whether all blocks of the pair of ``block`` are finished."""
        place = (block.scenario, block.pair)
        return all(self.finished(other) for other in blocks if (other.scenario, other.pair) == place)

    def block_dur_s(self, block: PlannedBlock) -> float | None:
        """Seconds that the last attempt at a finished block took, None if not recorded."""
        result = self.block_result(block)
        try:
            begin, end = map(datetime.fromisoformat, (result.started_utc, result.ended_utc))
        except ValueError:
            return None
        return (end - begin).total_seconds()

    def set_aside_broken_pairs(
        self, blocks: Sequence[PlannedBlock], *, redo_void: bool = False
    ) -> set[int]:
        """Move the blocks of unfinished pairs to ``interrupted/``; return their indices.

        The blocks of a pair are comparable only if they ran next to each other, so a pair that lacks a
        block is measured again with all its blocks; with ``redo_void`` also a pair with a void block.
        """
        moved: set[int] = set()
        groups: dict[tuple[str, int], list[PlannedBlock]] = {}
        for block in blocks:
            groups.setdefault((block.scenario, block.pair), []).append(block)
        for group in groups.values():
            if all(self.finished(block) and not (redo_void and self._is_void(block)) for block in group):
                continue
            for block in group:
                if self.block_folder(block).exists():
                    self._set_aside(block)
                    moved.add(block.index)
        return moved

    def _is_void(self, block: PlannedBlock) -> bool:
        return self.block_result(block).outcome == "void"

    def _set_aside(self, block: PlannedBlock, suffix: str = "") -> None:
        """Move the folder of ``block`` to ``interrupted/`` under the first free number."""
        attic = self.root / "interrupted"
        attic.mkdir(exist_ok=True)
        folder = self.block_folder(block)
        targets = (attic / f"{folder.name}.{suffix}{number}" for number in itertools.count(1))
        folder.replace(next(target for target in targets if not target.exists()))

    def start_block(self, block: PlannedBlock) -> Path:
        """Create the block's folder. HostError if the disk is too full."""
        free = shutil.disk_usage(self.root).free
        if free < MIN_FREE_BYTES:
            raise HostError(
                f"{self.root} has {free // 2**20} MiB free, a block needs {MIN_FREE_BYTES // 2**20}",
                next_step="free space and repeat the command: finished blocks are kept",
            )
        folder = self.block_folder(block)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start_repetition(self, block: PlannedBlock, index: int) -> Repetition:
        """Create the folder of a repetition; one that an interruption left there is deleted."""
        final = self.block_folder(block) / f"rep-{index}"
        partial = final.with_name(final.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        return Repetition(partial, final)

    def finish_block(self, block: PlannedBlock, result: BlockResult) -> None:
        """Write ``block.json``, which makes the block finished."""
        write_record(self.block_folder(block) / BLOCK_FILE, block, result)

    def block_result(self, block: PlannedBlock) -> BlockResult:
        """The stored result of a finished block. ResultsError for a damaged record."""
        return read_record(self.block_folder(block) / BLOCK_FILE, BlockResult)

    def discard_attempt(self, block: PlannedBlock, attempt: int) -> None:
        """Move a failed attempt at a block to ``interrupted/``."""
        self._set_aside(block, f"attempt-{attempt}.")
