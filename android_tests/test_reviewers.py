"""What the reviewers of the patch set asked for: does it help with CPUs relatively idle, and with all
CPUs busy?

And is the answer to be trusted: the same kernel under a second name must come out not different,
and a compression thread that is slowed by 200 us a page must come out worse.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = [
    "baseline=stock",
    "same=stock",
    "patched=kcompressd",
    "slow=kcompressd:delay_us=200",
]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
"""
