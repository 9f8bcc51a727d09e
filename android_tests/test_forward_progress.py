"""Do queued pages always get compressed, under load and under real-time threads?"""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
