"""The pytest items of every question: a block, and a verdict.

Each test file in android_tests imports both, so that pytest finds them there.
"""

from __future__ import annotations

import pytest

from foundation.contract.records import PlannedBlock
from harness.campaign.session import CampaignSession, Question


def test_block(campaign: CampaignSession, block: PlannedBlock) -> None:
    """Boot the variant, prove it, measure it, restore the device.

    A void block is skipped; a kernel failure fails.
    """
    result = campaign.run(block)
    if result.outcome == "void":
        pytest.skip(f"VOID: {'; '.join(result.void_reasons)}")
    if result.outcome == "kernel_failure":
        pytest.fail(f"the kernel under test failed: {result.failure}", pytrace=False)


def test_verdict(campaign: CampaignSession, question: Question, fail_on: str) -> None:
    """Judge the finished blocks by paired statistics.

    UNDECIDED is skipped; REGRESSED fails unless ``fail_on`` is none.
    """
    answer = campaign.answer(question)
    if answer.gates and answer.verdict == "REGRESSED" and fail_on == "regressed":
        pytest.fail(answer.sentence, pytrace=False)
    if answer.verdict == "UNDECIDED":
        pytest.skip(answer.sentence)
