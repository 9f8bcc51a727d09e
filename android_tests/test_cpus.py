"""Is it a loss with one CPU, and does it gain more with four? One leg each."""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
