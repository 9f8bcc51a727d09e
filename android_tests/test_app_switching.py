"""Does the compression thread help while a user switches between apps?

Each `test_block` item is one boot of one variant, in schedule order; each `test_verdict` item is the
verdict on one primary metric in one scenario.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["WORKLOAD", "test_block", "test_verdict"]

WORKLOAD = "app-switching"
