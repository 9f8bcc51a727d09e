"""What the reviewers of the patch set asked: does it help with CPUs relatively idle, and with all CPUs
busy?

Two controls show whether to trust the answer: the same kernel under a second name must not differ, and
a compression thread slowed by 200 us per page must come out worse.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = [
    "baseline=built",
    "same=built",
    "patched=kcompressd",
    "slow=kcompressd:delay_us=200",
]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
virtual.memory_mb = 224
"""
