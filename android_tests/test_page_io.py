"""Does the thread help above zram, in mm/page_io.c, where the second patch set has it?"""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
