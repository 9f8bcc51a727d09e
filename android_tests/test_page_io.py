"""Does the thread help where the second patch set has it, above zram in mm/page_io.c?

Both kernels are built here from one source with one configuration (the first time this takes
minutes). They need less memory for themselves than Debian's kernel: 228 MB leave the apps what 256
MB leave there.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = ["baseline=built", "patched=kcompressd-page-io"]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
virtual.memory_mb = 228
"""
