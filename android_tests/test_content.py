"""Does the published gain depend on what the pages hold? One leg for each kind of page."""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
