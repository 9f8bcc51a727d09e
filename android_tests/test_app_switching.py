"""Does the compression thread help while a person switches between apps?

Each `test_block` item is one boot of one variant, in the order of the schedule; each
`test_verdict` item is the answer for one primary metric of one scenario.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["WORKLOAD", "test_block", "test_verdict"]

WORKLOAD = "app-switching"
