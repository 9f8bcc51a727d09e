"""Does t1 + t2 + t3 become max(t1 + t3, t2)?"""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
