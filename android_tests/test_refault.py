"""What if a page is needed again before it is stored? How often does that happen under random access,
how long does the fault take compared with an ordinary swap-in, and how many of these pages still wait
in the queue?

Timing every fault costs CPU time: judge CPU time by another campaign. The device has more memory, for
the trace buffers.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "memory-eater"
profile = "eater"
variants = [
    "baseline=built",
    "patched=kcompressd",
    "deep=kcompressd:depth=4096",
]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
trace_queue = true
trace_faults = true
virtual.memory_mb = 240
set.eater.touches = 40000
set.eater.rewrite_share = 0.3

[[legs]]
name = "lzo-rle"
set.device.zram_algorithm = "lzo-rle"

# A slow compressor: pages take longer on their way out.
[[legs]]
name = "zstd"
set.device.zram_algorithm = "zstd"
"""
