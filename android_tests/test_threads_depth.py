"""How many compression threads, and how long a queue?"""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
