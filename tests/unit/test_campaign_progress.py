from __future__ import annotations

import pytest

from android_tests.campaign.progress import Progress, span_text
from android_tests.campaign.rules import host_reasons
from android_tests.campaign.schedule import schedule


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min 00 s"), (75, "1 min 15 s"), (3600, "1 h 0 min"), (-3, "0 s")],
)
def test_spans_read_like_a_person_says_them(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_time_left_uses_the_blocks_of_the_same_scenario() -> None:
    now = [0.0]
    lines: list[str] = []
    blocks = list(schedule(("a", "b"), ("idle", "busy"), 2, 1, ("lane",)))
    progress = Progress(len(blocks), lines.append, clock=lambda: now[0])
    cost_s = {"idle": 30.0, "busy": 50.0}
    assert progress.left_s(blocks) is None
    for position, block in enumerate(blocks[:6]):
        progress.begin(block, blocks[position:])
        now[0] += cost_s[block.scenario]
        progress.phase("done")
        progress.end("valid")
    assert progress.left_s(blocks[6:]) == pytest.approx(sum(cost_s[b.scenario] for b in blocks[6:]))
    heads = [line for line in lines if line.startswith("block ")]
    assert [" left" in head for head in heads] == [False] + 5 * [True]
    assert [line for line in lines if line.endswith("valid")] == [
        f"   {cost_s[block.scenario]:.1f} s  valid" for block in blocks[:6]
    ]


def test_a_busy_host_voids_an_emulated_repetition_only() -> None:
    busy = {"other_cpu_share": 0.4, "steal_share": 0.0}
    assert "40.0%" in host_reasons(busy, emulated=True)[0]
    assert host_reasons(busy, emulated=False) == []
    assert host_reasons({"other_cpu_share": 0.01, "steal_share": 0.0}, emulated=True) == []


def test_an_unknown_host_load_is_not_taken_for_a_quiet_one() -> None:
    assert len(host_reasons({"other_cpu_share": None}, emulated=True)) == 2
