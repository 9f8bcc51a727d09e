from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from foundation.contract.records import (
    BlockResult,
    CampaignRecord,
    PlannedBlock,
    ProfileRecord,
    RepetitionRecord,
    TraceRecord,
)
from foundation.errors import HostError, ResultsError, UsageError
from harness.campaign.schedule import schedule
from harness.campaign.store import Store

BLOCKS = schedule(("a", "b"), ("idle",), 2, 5, ("lane",))
IDENTITY: dict[str, Any] = {"pairs": 2, "profile": ProfileRecord("p", "")}
CAMPAIGN = CampaignRecord(
    name="c",
    created_utc="",
    seed=5,
    workload="app-switching",
    scenarios=("idle",),
    variants=(),
    reps=1,
    metrics=(),
    primaries=(),
    alpha=0.05,
    schedule=BLOCKS,
    suite_version="0",
    tools={},
    emulated=True,
    lanes={},
    host={},
    void_rules=(),
    **IDENTITY,
)
REPETITION = RepetitionRecord(
    index=0,
    valid=True,
    void_reasons=(),
    started_utc="",
    window_ns=(1, 2),
    trace=TraceRecord("", 0, "ftrace"),
    host={},
    thread_names=(),
    switches=0,
    kills=0,
    mismatches=0,
)
RESULT = BlockResult(
    outcome="valid",
    void_reasons=(),
    failure=None,
    started_utc="",
    ended_utc="",
    boot_id="",
    identity={},
    pins=(),
    gates=(),
    reps=(0,),
    void_reps={},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    made.open()
    made.begin(CAMPAIGN, IDENTITY)
    return made


def finish(store: Store, block: PlannedBlock) -> None:
    store.start_block(block)
    repetition = store.start_repetition(block, 0)
    (repetition.folder / "trace").write_bytes(b"x")
    repetition.commit(REPETITION, {"eater": {}})
    store.finish_block(block, RESULT)


def test_a_repetition_is_invisible_until_it_is_whole(store: Store) -> None:
    store.start_block(BLOCKS[0])
    repetition = store.start_repetition(BLOCKS[0], 0)
    (repetition.folder / "trace").write_bytes(b"x")
    assert not repetition.final.exists()
    repetition.commit(REPETITION, {"eater": {}})
    assert {path.name for path in repetition.final.iterdir()} == {"trace", "rep.json"}
    assert not repetition.folder.exists()


def test_an_abandoned_repetition_leaves_nothing(store: Store) -> None:
    store.start_block(BLOCKS[0])
    repetition = store.start_repetition(BLOCKS[0], 0)
    repetition.abandon()
    assert list(store.block_folder(BLOCKS[0]).iterdir()) == []


def test_a_half_pair_is_set_aside_and_whole_pairs_are_kept(store: Store) -> None:
    for block in BLOCKS[:3]:
        finish(store, block)
    store.start_block(BLOCKS[3])
    moved = store.set_aside_broken_pairs(BLOCKS)
    assert moved == {2, 3}
    assert [store.finished(block) for block in BLOCKS] == [True, True, False, False]
    kept = store.root / "interrupted" / f"{BLOCKS[2].folder()}.1"
    assert (kept / "rep-0" / "trace").read_bytes() == b"x"


def test_a_pair_with_a_void_block_is_set_aside_only_when_asked(store: Store) -> None:
    for block in BLOCKS[:4]:
        finish(store, block)
    store.finish_block(BLOCKS[1], dataclasses.replace(RESULT, outcome="void"))
    assert store.set_aside_broken_pairs(BLOCKS) == set()
    assert store.set_aside_broken_pairs(BLOCKS, redo_void=True) == {0, 1}
    assert [store.finished(block) for block in BLOCKS] == [False, False, True, True]


def test_an_interrupted_pair_can_be_set_aside_twice(store: Store) -> None:
    for _ in range(2):
        finish(store, BLOCKS[0])
        store.set_aside_broken_pairs(BLOCKS)
    names = sorted(path.name for path in (store.root / "interrupted").iterdir())
    assert names == [f"{BLOCKS[0].folder()}.1", f"{BLOCKS[0].folder()}.2"]


def test_the_same_command_resumes_and_another_is_refused(store: Store) -> None:
    store.begin(CAMPAIGN, IDENTITY)
    for other in ({"pairs": 3}, {"profile": ProfileRecord("p", "x")}):
        with pytest.raises(UsageError, match=f"another {next(iter(other))}"):
            store.begin(CAMPAIGN, {**IDENTITY, **other})
        with pytest.raises(UsageError, match=f"another {next(iter(other))}"):
            store.check_same({**IDENTITY, **other})


def test_two_runs_never_share_a_folder(store: Store) -> None:
    with pytest.raises(UsageError, match="in use"):
        Store(store.root).open()
    store.close()
    again = Store(store.root)
    again.open()
    again.close()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ResultsError, match="other files"):
        Store(tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_results_folder(tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.write_text("x")
    with pytest.raises(ResultsError, match="is a file"):
        Store(path).open()


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"schema_version": 99})])
def test_a_foreign_campaign_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "campaign.json").write_text(content)
    with pytest.raises(ResultsError):
        Store(tmp_path).stored_campaign()


def test_a_full_disk_stops_before_measuring(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.campaign.store.MIN_FREE_BYTES", 2**62)
    with pytest.raises(HostError, match="MiB free"):
        store.start_block(BLOCKS[0])


def test_a_damaged_block_record_names_the_file(store: Store) -> None:
    finish(store, BLOCKS[0])
    path = store.block_folder(BLOCKS[0]) / "block.json"
    path.write_text("{")
    with pytest.raises(ResultsError, match=r"block\.json is damaged"):
        store.block_result(BLOCKS[0])
