"""Does it help with CPUs idle and busy, and is the answer to be trusted?"""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
