"""The JSON files of a results folder: one type each, for the campaign that writes and all readers.

docs/results-folder.md describes the layout. A key unknown to the reader stays in the file and is
left out of the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from foundation.contract.losses import Loss
from foundation.errors import ResultsError
from foundation.files import write_atomic

SCHEMA_VERSION: Final = 1

CAMPAIGN_FILE: Final = "campaign.json"
BLOCK_FILE: Final = "block.json"
REPETITION_FILE: Final = "rep.json"

BlockOutcome = Literal["valid", "void", "kernel_failure"]

T = TypeVar("T")


@dataclass(frozen=True)
class ProfileRecord:
    """The profile that was run; ``toml`` is its complete text."""

    name: str
    toml: str


@dataclass(frozen=True)
class VariantRecord:
    """One kernel under test in the plan; ``spec`` is the user's text.

    ``images`` are the SHA-256 of the images it flashes, by partition; absent for other kinds.
    """

    name: str
    kind: str
    options: Mapping[str, str]
    spec: str
    images: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class PlannedBlock:
    """One boot of one variant, and its place in the campaign.

    ``pair`` counts from 0 within a scenario; a pair holds one adjacent block of every
    variant, on one lane. ``position`` is the block's place inside its pair. ``seed`` is the workload's
    in all blocks of a pair; None: the profile's own, as on a phone, in host time, and in older files.
    """

    index: int
    pair: int
    position: int
    scenario: str
    variant: str
    lane: str
    seed: int | None = None

    def folder(self) -> str:
        """Name of the block's folder, such as ``003-patched-idle``."""
        return f"{self.index:03d}-{self.variant}-{self.scenario}"


@dataclass(frozen=True, kw_only=True)
class CampaignRecord:
    """``campaign.json``: the plan, written before the first block.

    ``suppressed`` names preconditions of a phone that were neither set nor checked. ``reset_backed_zram``:
    the profile's zram was set also where the phone's had a backing device. ``clock`` is that of a virtual
    device: by its instructions, or the host's; None for a phone. Older files lack these keys.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    created_utc: str
    seed: int
    workload: str
    profile: ProfileRecord
    scenarios: tuple[str, ...]
    variants: tuple[VariantRecord, ...]
    pairs: int
    reps: int
    metrics: tuple[str, ...]
    suppressed: tuple[str, ...] = ()
    reset_backed_zram: bool = False
    clock: Literal["instructions", "host"] | None = None
    primaries: tuple[str, ...]
    alpha: float
    schedule: tuple[PlannedBlock, ...]
    suite_version: str
    tools: Mapping[str, str]
    emulated: bool
    lanes: Mapping[str, Mapping[str, Any]]
    host: Mapping[str, Any]
    void_rules: tuple[str, ...]


@dataclass(frozen=True)
class Pin:
    """One pinned setting; the values are those read from the device, not those written.

    ``set`` None: recorded only. ``restored`` None: not restored yet.
    """

    name: str
    before: str | None
    set: str | None
    after: str | None
    restored: str | None = None


@dataclass(frozen=True)
class Gate:
    """A check of a block, and its outcome."""

    name: str
    ok: bool
    detail: str


@dataclass(kw_only=True)
class BlockResult:
    """The result of one boot of one variant: ``block.json`` without the block's place in the plan.

    Mutable, because it grows while the block runs. ``reps`` are the indices of valid repetitions,
    ``void_reps`` the reasons of void ones by index; ``attempts`` the errors of earlier attempts.
    """

    outcome: BlockOutcome
    void_reasons: tuple[str, ...]
    failure: str | None
    started_utc: str
    ended_utc: str
    boot_id: str
    identity: Mapping[str, Any]
    pins: tuple[Pin, ...]
    gates: tuple[Gate, ...]
    reps: tuple[int, ...]
    void_reps: dict[str, tuple[str, ...]]
    attempts: tuple[str, ...] = ()

    def gate(self, name: str, ok: bool, detail: str) -> None:
        """Record a check; a failed one makes the block void."""
        self.gates += (Gate(name, ok, detail),)
        if not ok:
            self.void_reasons += (f"{name}: {detail}",)


@dataclass(frozen=True)
class TraceRecord:
    """The trace of a repetition as recorded; the file may be gone."""

    sha256: str
    bytes: int
    backend: str


@dataclass(frozen=True, kw_only=True)
class RepetitionRecord:
    """``rep.json`` without the keys that each workload adds.

    ``losses`` name what the recording lost and the data that each concerns: only the metrics that
    need such data are void. One that concerns all data is a void reason instead. ``window_ns`` is
    CLOCK_BOOTTIME, begin and end; ``host`` holds shares of CPU capacity. Older files have no
    ``losses`` (any loss was a void reason) and no ``pages_verified``.
    """

    index: int
    valid: bool
    void_reasons: tuple[str, ...]
    started_utc: str
    window_ns: tuple[int, int]
    trace: TraceRecord
    host: Mapping[str, Any]
    thread_names: tuple[str, ...]
    switches: int
    kills: int
    pages_verified: int | None = None
    mismatches: int
    losses: tuple[Loss, ...] = ()


def read_record(path: Path, kind: type[T]) -> T:
    """Read one JSON object as a record. ResultsError with one line that names the file and the key."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise ResultsError(f"{path} is missing") from error
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error}") from error
    except msgspec.ValidationError as error:
        raise damaged(path, str(error)) from error
    except msgspec.DecodeError as error:
        raise ResultsError(
            f"{path} is damaged: {error}",
            next_step="restore the file, or move its block folder away and measure the pair again",
        ) from error


def damaged(path: Path, why: str) -> ResultsError:
    """The error for an invalid record."""
    return ResultsError(f"{path} is damaged: {why}")


def write_record(path: Path, *parts: object) -> None:
    """Write the keys of all records and mappings in ``parts`` as one JSON object, atomically."""
    content: dict[str, Any] = {}
    for part in parts:
        content |= msgspec.to_builtins(part)
    write_atomic(path, json.dumps(content, indent=1, sort_keys=True) + "\n", durable=True)
