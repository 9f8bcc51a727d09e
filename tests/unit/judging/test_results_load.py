"""The reader of a results folder: what it keeps, and one line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.contract.results import load
from foundation.errors import ResultsError
from tests.unit.results_folder import ResultsFolder

VALUES = {"kswapd_cpu_ms": 1.0}


def small(tmp_path: Path) -> ResultsFolder:
    made = ResultsFolder(tmp_path / "results", pairs=2)
    for block in made.blocks[:3]:
        made.block(block, [VALUES])
    return made


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is ...:
            del content[key]
        else:
            content[key] = value
    path.write_text(json.dumps(content))


def test_a_campaign_is_read_whole(tmp_path: Path) -> None:
    made = small(tmp_path)
    campaign = load(made.root)
    assert campaign.baseline.name == "baseline"
    assert [variant.spec for variant in campaign.variants] == ["baseline=stock", "patched=kcompressd"]
    assert [block.index for block in campaign.blocks] == [0, 1, 2]
    assert not campaign.complete
    block = campaign.blocks[0]
    assert block.name == made.blocks[0].folder()
    assert block.pins[0].before == "60"
    assert block.pins[0].set == "100"
    assert block.repetitions[0].window_ns == (1_000_000_000, 8_000_000_000)
    assert block.repetitions[0].trace.path.read_bytes().startswith(b"synthetic")


def test_a_block_without_its_record_does_not_count(tmp_path: Path) -> None:
    made = small(tmp_path)
    (made.root / "blocks" / made.blocks[2].folder() / "block.json").unlink()
    campaign = load(made.root)
    assert [block.index for block in campaign.blocks] == [0, 1]
    assert campaign.unfinished == (made.blocks[2].folder(),)


def test_void_repetitions_are_read_as_well(tmp_path: Path) -> None:
    made = ResultsFolder(tmp_path / "results", pairs=2, reps=2)
    made.block(made.blocks[0], [VALUES, VALUES, VALUES], void_reps={1: ["lost events"]})
    (block,) = load(made.root).blocks
    assert [rep.valid for rep in block.repetitions] == [True, False, True]
    assert block.repetitions[1].void_reasons == ("lost events",)


def test_leftovers_of_an_interruption_are_ignored(tmp_path: Path) -> None:
    made = small(tmp_path)
    (made.root / "blocks" / "notes.txt").write_text("x")
    (made.root / "blocks" / made.blocks[0].folder() / "rep-1.partial").mkdir()
    (made.root / "interrupted").mkdir()
    assert len(load(made.root).blocks) == 3


def test_what_is_no_results_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="does not exist"):
        load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match="is not a folder"):
        load(tmp_path / "file")
    with pytest.raises(ResultsError, match=r"no campaign\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "schema version 2, this suite reads 1"),
        ({"schema_version": ...}, "schema version None"),
        ({"seed": ...}, "'seed' is missing"),
        ({"seed": True}, "'seed' is not a whole number"),
        ({"seed": "7"}, "'seed' is not a whole number"),
        ({"alpha": "low"}, "'alpha' is not a number"),
        ({"alpha": 0}, "between 0 and 1"),
        ({"variants": []}, "at least two"),
        ({"variants": [{"name": "a"}]}, r"variants\[0\].*'options' is missing"),
        ({"scenarios": "idle"}, "'scenarios' is not a list"),
        ({"scenarios": []}, "unknown|empty"),
        ({"schedule": [3]}, r"'schedule\[0\]' is not an object"),
        ({"profile": None}, "'profile' is not an object"),
        ({"metrics": [1]}, "'metrics' is not a list of texts"),
        ({"emulated": 1}, "'emulated' is not true or false"),
    ],
)
def test_a_damaged_plan_is_one_line_with_file_and_key(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    made = small(tmp_path)
    edit(made.root / "campaign.json", **changes)
    with pytest.raises(ResultsError, match=words) as caught:
        load(made.root)
    assert "campaign.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": "fine"}, "'outcome' is 'fine'"),
        ({"outcome": "kernel_failure"}, "without its text"),
        ({"pair": 1}, "is not block 0 of the plan"),
        ({"pins": [{"name": 3}]}, r"pins\[0\].*'name' is not text"),
        ({"reps": [0, 5]}, r"rep-5.rep\.json is missing"),
    ],
)
def test_a_damaged_block_names_its_file(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    made = small(tmp_path)
    edit(made.root / "blocks" / made.blocks[0].folder() / "block.json", **changes)
    with pytest.raises(ResultsError, match=words) as caught:
        load(made.root)
    assert made.blocks[0].folder() in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b""])
def test_a_cut_file_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    made = small(tmp_path)
    path = made.root / "blocks" / made.blocks[1].folder() / "rep-0" / "rep.json"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"rep\.json (is damaged|cannot be read)"):
        load(made.root)


def test_a_block_of_another_campaign_is_refused(tmp_path: Path) -> None:
    made = small(tmp_path)
    folder = made.root / "blocks" / made.blocks[0].folder()
    edit(folder / "block.json", index=99)
    with pytest.raises(ResultsError, match="not block 99 of the plan"):
        load(made.root)
    edit(folder / "block.json", index=0)
    folder.rename(folder.with_name("copy"))
    assert len(load(made.root).blocks) == 3
