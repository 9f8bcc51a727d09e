"""The reader of a results folder: one campaign as frozen records. Touches no device.

The writer is the campaign's store; the layout is described in docs/results-folder.md.
A block folder without ``block.json`` was not finished and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from foundation.contract.json_record import JsonRecord
from foundation.errors import ResultsError

SCHEMA_VERSION: Final = 1

CAMPAIGN_FILE: Final = "campaign.json"
METRICS_FILE: Final = "metrics.parquet"
VERDICTS_FILE: Final = "verdicts.json"
DISTRIBUTIONS_FILE: Final = "distributions.parquet"
TIMELINES_FILE: Final = "timelines.parquet"
JUDGEMENT_FILE: Final = "judgement.json"
REPORT_FILE: Final = "report.html"
TRACE_FILE: Final = "trace.perfetto-trace"
REPETITION_FILE: Final = "rep.json"

BlockOutcome = Literal["valid", "void", "kernel_failure"]


@dataclass(frozen=True)
class VariantRecord:
    """One kernel under test as the plan names it; ``spec`` is the text the user gave."""

    name: str
    kind: str
    options: Mapping[str, str]
    spec: str


@dataclass(frozen=True)
class ScheduledBlock:
    """A block's place in the plan. ``pair`` is unique within a scenario."""

    index: int
    pair: int
    position: int
    scenario: str
    variant: str
    lane: str


@dataclass(frozen=True)
class Pin:
    """One pinned setting; the three values are what was read, not what was hoped for."""

    name: str
    before: str | None
    set: str | None
    after: str | None


@dataclass(frozen=True)
class Gate:
    """A check of a block that was made, and how it came out."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class TraceRecord:
    """The trace of a repetition as recorded; ``path`` may not exist any more."""

    path: Path
    sha256: str
    bytes: int
    backend: str


@dataclass(frozen=True)
class Repetition:
    """One measured cycle. ``window_ns`` is CLOCK_BOOTTIME; ``host`` holds shares of CPU capacity."""

    index: int
    folder: Path
    valid: bool
    void_reasons: tuple[str, ...]
    started_utc: str
    window_ns: tuple[int, int]
    trace: TraceRecord
    host: Mapping[str, Any]
    thread_names: tuple[str, ...]
    switches: int
    kills: int
    mismatches: int


@dataclass(frozen=True)
class Block:
    """One finished boot of one variant. ``repetitions`` holds valid and void ones, by index."""

    folder: Path
    place: ScheduledBlock
    outcome: BlockOutcome
    void_reasons: tuple[str, ...]
    failure: str | None
    started_utc: str
    ended_utc: str
    boot_id: str
    identity: Mapping[str, Any]
    pins: tuple[Pin, ...]
    gates: tuple[Gate, ...]
    repetitions: tuple[Repetition, ...]

    @property
    def index(self) -> int:
        return self.place.index

    @property
    def name(self) -> str:
        """Name of the block's folder, such as ``003-patched-idle``."""
        return self.folder.name


@dataclass(frozen=True)
class Campaign:
    """All that one results folder holds. ``suppressed`` names preconditions of a phone that were
    neither set nor checked. ``blocks`` are the finished ones, in schedule order."""

    root: Path
    name: str
    created_utc: str
    seed: int
    workload: str
    profile_name: str
    profile_toml: str
    scenarios: tuple[str, ...]
    variants: tuple[VariantRecord, ...]
    pairs: int
    reps: int
    metrics: tuple[str, ...]
    primaries: tuple[str, ...]
    alpha: float
    schedule: tuple[ScheduledBlock, ...]
    suite_version: str
    tools: Mapping[str, str]
    emulated: bool
    lanes: Mapping[str, Mapping[str, Any]]
    host: Mapping[str, Any]
    void_rules: tuple[str, ...]
    suppressed: tuple[str, ...]
    blocks: tuple[Block, ...]
    unfinished: tuple[str, ...]

    @property
    def baseline(self) -> VariantRecord:
        """The first variant: all others are compared with it."""
        return self.variants[0]

    @property
    def complete(self) -> bool:
        """Whether every block of the plan is finished."""
        return len(self.blocks) == len(self.schedule)


def load(root: Path) -> Campaign:
    """Read a results folder. Reads only; ResultsError with one line for whatever is wrong with it."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise ResultsError(f"{root} {what}", next_step="give the folder of a campaign")
    path = root / CAMPAIGN_FILE
    if not path.exists():
        raise ResultsError(
            f"{root} holds no {CAMPAIGN_FILE}", next_step="give the folder that --results named"
        )
    record = JsonRecord.read(path)
    version = record.raw("schema_version")
    if version != SCHEMA_VERSION:
        raise ResultsError(
            f"{path} has schema version {version}, this suite reads {SCHEMA_VERSION}",
            next_step="use the suite version that wrote it",
        )
    schedule = record.records("schedule", _scheduled)
    blocks, unfinished = _blocks(root)
    profile = record.record("profile")
    campaign = Campaign(
        root=root,
        name=record.text("name"),
        created_utc=record.text("created_utc"),
        seed=record.integer("seed"),
        workload=record.text("workload"),
        profile_name=profile.text("name"),
        profile_toml=profile.text("toml"),
        scenarios=record.texts("scenarios"),
        variants=record.records("variants", _variant),
        pairs=record.integer("pairs"),
        reps=record.integer("reps"),
        metrics=record.texts("metrics"),
        primaries=record.texts("primaries"),
        alpha=record.number("alpha"),
        schedule=schedule,
        suite_version=record.text("suite_version"),
        tools=record.mapping("tools"),
        emulated=record.truth("emulated"),
        lanes=record.mapping("lanes"),
        host=record.mapping("host"),
        void_rules=record.texts("void_rules"),
        # Campaigns of before it had none.
        suppressed=record.texts("suppressed") if record.raw("suppressed") is not None else (),
        blocks=blocks,
        unfinished=unfinished,
    )
    _check(campaign, record)
    return campaign


def _check(campaign: Campaign, record: JsonRecord) -> None:
    """The plan must make sense, and every block on disk must be one of the plan."""
    names = [variant.name for variant in campaign.variants]
    if len(names) < 2 or len(set(names)) != len(names):
        raise record.damaged("'variants' must hold at least two different names")
    if not campaign.scenarios:
        raise record.damaged("'scenarios' is empty")
    if not 0 < campaign.alpha < 1:
        raise record.damaged("'alpha' is not between 0 and 1")
    planned = {place.index: place for place in campaign.schedule}
    if len(planned) != len(campaign.schedule):
        raise record.damaged("'schedule' names a block index twice")
    cells = {(place.scenario, place.pair, place.variant) for place in campaign.schedule}
    if len(cells) != len(campaign.schedule):
        raise record.damaged("'schedule' holds two blocks of one variant in one pair")
    for place in campaign.schedule:
        if place.variant not in names or place.scenario not in campaign.scenarios:
            raise record.damaged(f"'schedule' block {place.index} has an unknown variant or scenario")
    for block in campaign.blocks:
        if planned.get(block.index) != block.place:
            raise ResultsError(
                f"{block.folder / 'block.json'} is not block {block.index} of the plan",
                next_step=f"it may belong to another campaign: move {block.folder} away",
            )
    seen = [block.index for block in campaign.blocks]
    if len(set(seen)) != len(seen):
        raise ResultsError(f"{campaign.root / 'blocks'} holds two folders of one block")


def _variant(record: JsonRecord) -> VariantRecord:
    options = {key: str(value) for key, value in record.mapping("options").items()}
    return VariantRecord(record.text("name"), record.text("kind"), options, record.text("spec"))


def _scheduled(record: JsonRecord) -> ScheduledBlock:
    return ScheduledBlock(
        index=record.integer("index"),
        pair=record.integer("pair"),
        position=record.integer("position"),
        scenario=record.text("scenario"),
        variant=record.text("variant"),
        lane=record.text("lane"),
    )


def _blocks(root: Path) -> tuple[tuple[Block, ...], tuple[str, ...]]:
    folder = root / "blocks"
    finished: list[Block] = []
    unfinished: list[str] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not path.is_dir():
            continue
        if (path / "block.json").exists():
            finished.append(_block(path))
        else:
            unfinished.append(path.name)
    finished.sort(key=lambda block: block.index)
    return tuple(finished), tuple(unfinished)


def _block(folder: Path) -> Block:
    record = JsonRecord.read(folder / "block.json")
    outcome = record.text("outcome")
    if outcome not in ("valid", "void", "kernel_failure"):
        raise record.damaged(f"'outcome' is {outcome!r}")
    failure = record.text_or_none("failure")
    if outcome == "kernel_failure" and failure is None:
        raise record.damaged("a kernel failure without its text")
    listed = set(record.integers("reps"))
    listed |= {int(key) for key in record.mapping("void_reps") if key.isdigit()}
    return Block(
        folder=folder,
        place=_scheduled(record),
        outcome=cast(BlockOutcome, outcome),
        void_reasons=record.texts("void_reasons"),
        failure=failure,
        started_utc=record.text("started_utc"),
        ended_utc=record.text("ended_utc"),
        boot_id=record.text("boot_id"),
        identity=record.mapping("identity"),
        pins=record.records("pins", _pin),
        gates=record.records("gates", _gate),
        repetitions=tuple(_repetition(folder / f"rep-{index}") for index in sorted(listed)),
    )


def _pin(record: JsonRecord) -> Pin:
    def shown(key: str) -> str | None:
        value = record.raw(key)
        return None if value is None else str(value)

    return Pin(record.text("name"), shown("before"), shown("set"), shown("after"))


def _gate(record: JsonRecord) -> Gate:
    return Gate(record.text("name"), record.truth("ok"), record.text("detail"))


def _repetition(folder: Path) -> Repetition:
    record = JsonRecord.read(folder / REPETITION_FILE)
    window = record.integers("window_ns")
    if len(window) != 2:
        raise record.damaged("'window_ns' is not a begin and an end")
    trace = record.record("trace")
    return Repetition(
        index=record.integer("index"),
        folder=folder,
        valid=record.truth("valid"),
        void_reasons=record.texts("void_reasons"),
        started_utc=record.text("started_utc"),
        window_ns=(window[0], window[1]),
        trace=TraceRecord(
            path=folder / TRACE_FILE,
            sha256=trace.text("sha256"),
            bytes=trace.integer("bytes"),
            backend=trace.text("backend"),
        ),
        host=record.mapping("host"),
        thread_names=record.texts("thread_names"),
        switches=record.integer("switches"),
        kills=record.integer("kills"),
        mismatches=record.integer("mismatches"),
    )
