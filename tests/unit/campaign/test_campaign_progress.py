"""Progress as lines and as rows of a screen, and the time left, on schedules that were really run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from rich.text import Text

from analysis.judging.interim import Interim
from foundation.contract.records import PlannedBlock
from harness.campaign.phase import Phase
from harness.campaign.rules import host_reasons
from harness.campaign.schedule import schedule
from harness.campaign.terminal.progress import Progress, span_text
from harness.campaign.terminal.screen_layout import frame
from harness.campaign.terminal.time_left import TimeLeft

FINDINGS = Path(__file__).parents[3] / "findings"


@dataclass
class Heard:
    """A view that keeps what it was told."""

    lines: list[str] = field(default_factory=list)
    changes: int = 0

    def line(self, text: str) -> None:
        self.lines.append(text)

    def changed(self, progress: Progress) -> None:
        self.changes += 1

    def close(self) -> None:
        pass


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def progress_of(blocks: tuple[PlannedBlock, ...], clock: Clock) -> tuple[Progress, Heard]:
    heard = Heard()
    return Progress(blocks, heard, "app-switching", "virtual-0", clock), heard


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min 00 s"), (75, "1 min 15 s"), (3600, "1 h 0 min"), (-3, "0 s")],
)
def test_spans_read_like_a_person_says_them(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_time_left_uses_the_blocks_of_the_same_scenario() -> None:
    clock = Clock()
    blocks = schedule(("a", "b"), ("idle", "busy"), 2, 1, ("lane",))
    progress, heard = progress_of(blocks, clock)
    cost_s = {"idle": 30.0, "busy": 50.0}
    assert progress.left_s() is None
    for block in blocks[:6]:
        progress.begin(block)
        clock.now_s += cost_s[block.scenario]
        progress.phase(block, Phase.CAPTURE, "done")
        progress.end(block, "valid")
    assert progress.left_s() == pytest.approx(sum(cost_s[b.scenario] for b in blocks[6:]))
    heads = [line for line in heard.lines if line.startswith("block ")]
    assert [" left" in head for head in heads] == [False] + 5 * [True]
    assert [line for line in heard.lines if line.endswith("valid")] == [
        f"   {cost_s[block.scenario]:.1f} s  valid" for block in blocks[:6]
    ]


def test_time_left_runs_down_within_a_block_and_not_below_it() -> None:
    clock = Clock()
    blocks = schedule(("a", "b"), ("idle",), 2, 1, ("lane",))
    progress, _ = progress_of(blocks, clock)
    progress.begin(blocks[0])
    clock.now_s += 40
    progress.end(blocks[0], "valid")
    progress.begin(blocks[1])
    clock.now_s += 15
    assert progress.left_s() == pytest.approx(40 - 15 + 2 * 40)
    clock.now_s += 100
    assert progress.left_s() == pytest.approx(2 * 40), "a late block is taken to end now"


def test_lanes_work_side_by_side() -> None:
    left = TimeLeft()
    left.block("idle", 60.0)
    left.judging(6.0)
    blocks = schedule(("a", "b"), ("idle",), 3, 1, ("one", "two"))
    assert left.left_s(blocks) == pytest.approx(4 * 60 + 2 * 6), "lane one has two of the three pairs"
    assert left.left_s([]) == 0.0


def real_blocks(campaign: str) -> list[tuple[PlannedBlock, datetime, datetime]]:
    found = []
    for path in sorted(FINDINGS.glob(f"{campaign}/blocks/*/block.json")):
        record = json.loads(path.read_text())
        place = {key: record[key] for key in PlannedBlock.__dataclass_fields__ if key in record}
        begin, end = (datetime.fromisoformat(record[key]) for key in ("started_utc", "ended_utc"))
        found.append((PlannedBlock(**place), begin, end))
    return found


@pytest.mark.parametrize(("campaign", "count"), [("zram-level", 48), ("handicap", 16)])
def test_after_the_first_pair_the_time_left_is_right_within_a_fifth(campaign: str, count: int) -> None:
    """Replays when the blocks of a published campaign really ended, with what was tried twice."""
    played = real_blocks(campaign)
    blocks = tuple(block for block, _, _ in played)
    assert len(blocks) == count
    origin, the_end = played[0][1], played[-1][2]
    clock = Clock()
    progress, _ = progress_of(blocks, clock)
    errors: dict[int, float] = {}
    for block, _, ended in played:
        progress.begin(block)
        clock.now_s = (ended - origin).total_seconds()
        progress.end(block, "valid")
        truth = (the_end - ended).total_seconds()
        left = progress.left_s()
        assert left is not None
        if truth:
            errors[block.index] = left / truth - 1
    pair = sum(block.pair == 0 and block.scenario == blocks[0].scenario for block in blocks)
    assert abs(errors[pair - 1]) < 0.20, errors
    # Nobody foresees the last boot of zram-level, which hung and was tried again (263 s); before it
    # makes up a fifth of what is left, the estimate holds.
    later = [error for index, error in errors.items() if pair - 1 <= index < count // 2]
    assert max(map(abs, later)) < 0.20, errors


ONE = Interim("idle", "kswapd_cpu_ms", "baseline", "patched", "ms", 3, 8, "ratio", 0.71, 0.66, 0.78)
TWO = Interim("idle", "allocstall", "baseline", "patched", "1", 3, 8, "difference", -2.0, -7.0, 1.0)


def test_the_running_estimate_can_not_be_taken_for_a_verdict() -> None:
    clock = Clock()
    blocks = schedule(("baseline", "patched"), ("idle",), 8, 1, ("virtual-0",))
    progress, heard = progress_of(blocks, clock)
    progress.begin(blocks[0])
    progress.end(blocks[0], "valid")
    progress.reading(blocks[0], "reading trace 1 of 2")
    clock.now_s += 4
    progress.judged(blocks[0], [ONE, TWO])
    (line,) = [line for line in heard.lines if "kswapd_cpu_ms" in line]
    assert line == (
        "  not yet a verdict: idle, patched, 3 of 8 pairs: kswapd_cpu_ms -29.0%, allocstall -2.00"
    )
    words = ("IMPROVED", "REGRESSED", "SAME", "UNDECIDED", " p ")
    text = "\n".join(texts(frame(progress, 100, 30)))
    assert "NOT YET A VERDICT" in text
    assert "-34.0% to -22.0%" in text
    assert not any(word in text + line for word in words)


def texts(rows: list[Text]) -> list[str]:
    return [row.plain for row in rows]


def full_progress() -> Progress:
    clock = Clock()
    blocks = schedule(("baseline", "patched"), ("idle", "busy"), 8, 1, ("virtual-0",))
    progress, _ = progress_of(blocks, clock)
    for block in blocks[:5]:
        progress.begin(block)
        clock.now_s += 41
        progress.end(block, "void" if block.index == 2 else "valid")
    progress.judged(blocks[4], [ONE, TWO] * 6)
    progress.begin(blocks[5])
    clock.now_s += 12
    progress.phase(blocks[5], Phase.CAPTURE, "repetition 0: idle")
    return progress


def test_a_screen_says_where_the_campaign_is() -> None:
    rows = texts(frame(full_progress(), 100, 30))
    assert "5 of 32 blocks  app-switching on virtual-0" in rows[0]
    assert rows[1].startswith("3 min 37 s so far, about 18 min 15 s left, until ")
    assert rows[2].startswith("virtual-0  ")
    assert rows[2].endswith(", pair 2, patched  (block 6)")
    assert "boot  pins  prepare [capture] pull  verify  judge" in rows[3]
    assert "12 s of about 41 s  repetition 0: idle" in rows[4]
    assert rows[-1].split() == ["this", "run:", "4", "valid", "1", "void"]


@pytest.mark.parametrize("width", [1, 2, 20, 40, 60, 79, 80, 100, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 8, 23, 60])
def test_a_screen_fits_every_terminal(width: int, height: int) -> None:
    for ascii_only in (False, True):
        rows = texts(frame(full_progress(), width, height, ascii_only=ascii_only))
        assert 0 < len(rows) <= height
        assert all(len(row) < max(2, width) for row in rows), rows
        if ascii_only:
            assert "".join(rows).isascii()


def test_at_60_columns_all_that_matters_is_there() -> None:
    text = "\n".join(texts(frame(full_progress(), 60, 24)))
    assert "5 of 32 blocks" in text
    assert "left, until" in text
    assert "[capture]" in text
    assert "12 s of about 41 s" in text
    assert "NOT YET A VERDICT" in text
    assert "-29.0%  3 of 8" in text


def test_a_low_terminal_says_how_many_estimates_it_hides() -> None:
    rows = texts(frame(full_progress(), 100, 10))
    assert len(rows) == 10
    assert any("and 10 more" in row for row in rows), rows


def test_a_busy_host_voids_an_emulated_repetition_in_host_time_only() -> None:
    busy = {"other_cpu_share": 0.4, "steal_share": 0.0}
    assert "40.0%" in host_reasons(busy, emulated=True, host_time=True)[0]
    assert host_reasons(busy, emulated=True, host_time=False) == []
    assert host_reasons(busy, emulated=False, host_time=True) == []
    quiet = {"other_cpu_share": 0.01, "steal_share": 0.0}
    assert host_reasons(quiet, emulated=True, host_time=True) == []


def test_an_unknown_host_load_is_not_taken_for_a_quiet_one() -> None:
    assert len(host_reasons({"other_cpu_share": None}, emulated=True, host_time=True)) == 2
