"""Does the compression thread help while a person switches between apps?

Each `test_block` item is one boot of one variant, in the order of the schedule; each
`test_verdict` item is the answer for one primary metric of one scenario.
"""

from __future__ import annotations

import pytest

from android_tests.campaign.schedule import PlannedBlock
from android_tests.campaign.session import CampaignSession, Question

WORKLOAD = "app-switching"


def test_block(campaign: CampaignSession, block: PlannedBlock) -> None:
    """Boot the variant, prove it, measure it, restore the device."""
    outcome = campaign.run(block)
    if outcome.kind == "void":
        pytest.skip(f"VOID: {outcome.reason}")
    if outcome.kind == "kernel_failure":
        pytest.fail(f"the kernel under test failed: {outcome.reason}", pytrace=False)


def test_verdict(campaign: CampaignSession, question: Question, fail_on: str) -> None:
    """The paired statistics over the finished blocks."""
    answer = campaign.answer(question)
    if answer.gates and answer.verdict == "REGRESSED" and fail_on == "regressed":
        pytest.fail(answer.sentence, pytrace=False)
    if answer.verdict == "UNDECIDED":
        pytest.skip(answer.sentence)
