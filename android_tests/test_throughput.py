"""Does the compression thread make reclaim of anonymous memory faster, and spare allocation stalls?

The published claim for the patch set: pgsteal_anon/s from 300,000 to above 800,000 with a memory
eater, and half the allocation stalls. Each `test_block` item is one boot of one variant under the
memory eater; each `test_verdict` item is the answer for one primary metric of one scenario.
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
