"""What a block and a verdict are as pytest items; the same for every question."""

from __future__ import annotations

import pytest

from android_tests.campaign.schedule import PlannedBlock
from android_tests.campaign.session import CampaignSession, Question


def run_block_item(campaign: CampaignSession, block: PlannedBlock) -> None:
    """Run the block: a void one is skipped, a kernel failure fails."""
    outcome = campaign.run(block)
    if outcome.kind == "void":
        pytest.skip(f"VOID: {outcome.reason}")
    if outcome.kind == "kernel_failure":
        pytest.fail(f"the kernel under test failed: {outcome.reason}", pytrace=False)


def verdict_item(campaign: CampaignSession, question: Question, fail_on: str) -> None:
    """Judge what is there: UNDECIDED is skipped, REGRESSED fails unless ``fail_on`` is none."""
    answer = campaign.answer(question)
    if answer.gates and answer.verdict == "REGRESSED" and fail_on == "regressed":
        pytest.fail(answer.sentence, pytrace=False)
    if answer.verdict == "UNDECIDED":
        pytest.skip(answer.sentence)
