"""Does the gain depend on how slow the compressor is?

With a slow compressor (zstd), kswapd spends nearly all its time compressing; with a fast one (lz4),
scanning and unmapping weigh more.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = ["baseline=built", "patched=kcompressd"]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
virtual.memory_mb = 224

[[legs]]
name = "lzo-rle"
set.device.zram_algorithm = "lzo-rle"

[[legs]]
name = "lz4"
set.device.zram_algorithm = "lz4"

[[legs]]
name = "zstd"
set.device.zram_algorithm = "zstd"
"""
