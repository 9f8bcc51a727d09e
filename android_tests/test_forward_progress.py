"""Do queued pages always get compressed: how long do they wait when the thread must compete for the
CPUs, at normal, lowest and highest nice value, and when real-time threads take all CPUs for 80 of
each 100 ms?

queue_stall_max_ms is the longest time without a finished page. Tracing each page costs CPU, here on
every variant alike: compare them with each other, not with stock.
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
"""
