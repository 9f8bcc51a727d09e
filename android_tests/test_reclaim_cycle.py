"""'t1 + t2 + t3 becomes max(t1 + t3, t2)': how long do scanning and unmapping, compressing, and
reclaiming file pages take in a reclaim cycle of each kernel, and which of the two models predicts the
measured length?

The model is about two CPUs at work at once, so this runs by the host's clock: on a quiet host, and on
several. Two threads are an option of 6.1's zram module. Timing the parts costs CPU time: judge CPU time
by another campaign. The device has more memory, for the trace buffers.
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
virtual.base = "6.1-amd64"
virtual.clock = "host"
virtual.cpus = 2
virtual.memory_mb = 272
"""
