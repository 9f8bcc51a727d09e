"""Does the thread help a phone in use? Legs: its own governor, and all frequencies fixed."""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
