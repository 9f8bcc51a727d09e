"""Does the answer hold on the multi-generational LRU?

Refault counts of the classic LRU and MGLRU are not comparable.
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
name = "classic"
set.device.mglru = false

[[legs]]
name = "mglru"
set.device.mglru = true
"""
