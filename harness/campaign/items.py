"""What a block and a verdict are as pytest items; the same for every question.

A test file below android_tests takes both into itself, which is how pytest finds them there.
"""

from __future__ import annotations

import pytest

from foundation.contract.records import PlannedBlock
from harness.campaign.session import CampaignSession, Question


def test_block(campaign: CampaignSession, block: PlannedBlock) -> None:
    """Boot the variant, prove it, measure it, restore the device.

    A void block is skipped, a kernel failure fails.
    """
    outcome = campaign.run(block)
    if outcome.kind == "void":
        pytest.skip(f"VOID: {outcome.reason}")
    if outcome.kind == "kernel_failure":
        pytest.fail(f"the kernel under test failed: {outcome.reason}", pytrace=False)


def test_verdict(campaign: CampaignSession, question: Question, fail_on: str) -> None:
    """The paired statistics over the finished blocks.

    UNDECIDED is skipped, REGRESSED fails unless ``fail_on`` is none.
    """
    answer = campaign.answer(question)
    if answer.gates and answer.verdict == "REGRESSED" and fail_on == "regressed":
        pytest.fail(answer.sentence, pytrace=False)
    if answer.verdict == "UNDECIDED":
        pytest.skip(answer.sentence)
