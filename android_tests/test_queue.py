"""What happens in the queue, and what do a wake-up and a same-filled page cost?

Waking by batches and storing same-filled pages at once are options of the thread in 6.1's zram module.
Tracing each page costs CPU time, here on every variant alike: compare them with each other, not with
stock.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = [
    "patched=kcompressd",
    "batched=kcompressd:wake_batch=32",
    "direct=kcompressd:same_filled_direct=1",
]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
trace_queue = true
virtual.base = "6.1-amd64"
"""
