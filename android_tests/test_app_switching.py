"""Does the compression thread help while a person switches between apps?

Each `test_block` item is one boot of one variant, in the order of the schedule; each
`test_verdict` item is the answer for one primary metric of one scenario.
"""

from __future__ import annotations

from android_tests.campaign.items import run_block_item, verdict_item
from android_tests.campaign.schedule import PlannedBlock
from android_tests.campaign.session import CampaignSession, Question


def test_block(campaign: CampaignSession, block: PlannedBlock) -> None:
    """Boot the variant, prove it, measure it, restore the device."""
    run_block_item(campaign, block)


def test_verdict(campaign: CampaignSession, question: Question, fail_on: str) -> None:
    """The paired statistics over the finished blocks."""
    verdict_item(campaign, question, fail_on)
