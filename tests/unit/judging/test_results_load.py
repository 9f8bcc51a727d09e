"""The reader of a results folder: what it keeps, and one line for whatever is wrong."""

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
    RepetitionRecord,
    read_record,
    write_record,
)
from foundation.contract.results import load
from foundation.errors import ResultsError
from tests.unit.results_folder import ResultsFolder

VALUES = {"kswapd_cpu_ms": 1.0}
FINDINGS = Path(__file__).parents[3] / "findings"
CAMPAIGNS = sorted(path for path in FINDINGS.iterdir() if path.is_dir())


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
    assert block.repetitions[0].trace_path.read_bytes().startswith(b"synthetic")


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
        ({"schema_version": 2}, "schema version 2, this suite has 1"),
        ({"schema_version": ...}, "schema version None"),
        ({"seed": ...}, "missing required field `seed`"),
        ({"seed": True}, r"Expected `int`, got `bool` - at `\$\.seed`"),
        ({"seed": "7"}, r"Expected `int`, got `str` - at `\$\.seed`"),
        ({"alpha": "low"}, r"Expected `float`, got `str` - at `\$\.alpha`"),
        ({"alpha": 0}, "between 0 and 1"),
        ({"variants": []}, "at least two"),
        (
            {"variants": [{"name": "a", "kind": "b"}]},
            r"missing required field `options` - at `\$\.variants\[0\]`",
        ),
        ({"scenarios": "idle"}, r"Expected `array`, got `str` - at `\$\.scenarios`"),
        ({"scenarios": []}, "unknown|empty"),
        ({"schedule": [3]}, r"Expected `object`, got `int` - at `\$\.schedule\[0\]`"),
        ({"profile": None}, r"Expected `object`, got `null` - at `\$\.profile`"),
        ({"metrics": [1]}, r"Expected `str`, got `int` - at `\$\.metrics\[0\]`"),
        ({"emulated": 1}, r"Expected `bool`, got `int` - at `\$\.emulated`"),
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
        ({"outcome": "fine"}, r"'fine' - at `\$\.outcome`"),
        ({"outcome": "kernel_failure"}, "without its description"),
        ({"pair": 1}, "is not block 0 of the plan"),
        ({"pins": [{"name": 3}]}, r"Expected `str`, got `int` - at `\$\.pins\[0\]\.name`"),
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


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda path: path.name)
def test_published_records_are_written_byte_for_byte_as_they_were_read(
    campaign: Path, tmp_path: Path
) -> None:
    """Writer and reader share the types: what one reads, the other writes again."""
    block = next(campaign.glob("blocks/*/block.json"))
    repetition = next(campaign.glob("blocks/*/rep-*/rep.json"))
    known = {field.name for field in dataclasses.fields(RepetitionRecord)}
    more = {k: v for k, v in json.loads(repetition.read_text()).items() if k not in known}
    files: list[tuple[Path, list[type[Any]], dict[str, Any]]] = [
        (campaign / "campaign.json", [CampaignRecord], {}),
        (block, [PlannedBlock, BlockResult], {}),
        (repetition, [RepetitionRecord], more),
    ]
    for path, kinds, rest in files:
        write_record(tmp_path / path.name, *(read_record(path, kind) for kind in kinds), rest)
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
