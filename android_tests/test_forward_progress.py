"""Do queued pages always get compressed? How long do they wait when the thread competes for the CPUs,
at normal, lowest and highest priority (nice 0, 19, -20), and when real-time threads take all CPUs for
80 of every 100 ms?

queue_stall_max_ms is the longest time without a finished page. Tracing each page costs CPU time, here
on every variant alike: compare them with each other, not with stock.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = [
    "patched=kcompressd",
    "niced=kcompressd:nice=19",
    "first=kcompressd:nice=-20",
]
scenarios = ["busy", "rt-busy"]
pairs = 8
reps = 1
trace_queue = true
virtual.memory_mb = 224
"""
