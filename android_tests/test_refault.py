"""What if a page is wanted again before it is stored? Legs lzo-rle and zstd."""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
