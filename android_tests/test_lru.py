"""Does the answer hold on the multi-generational LRU? Legs classic and mglru."""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
