"""What happens in the queue, and what do a wake-up and a same-filled page cost?"""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
