"""'t1 + t2 + t3 becomes max(t1 + t3, t2)': what are scanning and unmapping, compressing, and
reclaiming file pages in a reclaim cycle of each kernel, and which of the two models meets the
measured length?

Timing the parts costs CPU: judge CPU time by another campaign. The memory for its trace buffers is
added.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "memory-eater"
profile = "eater"
variants = [
    "baseline=stock",
    "same=stock",
    "patched=kcompressd",
    "two=kcompressd:threads=2",
]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
trace_reclaim = true
virtual.memory_mb = 272
"""
