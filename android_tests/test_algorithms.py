"""Does the gain depend on how slow the compressor is? One leg each: lzo-rle, lz4, zstd."""

from android_tests.campaign.items import test_block, test_verdict

__all__ = ["test_block", "test_verdict"]
