"""Is it a loss with one CPU, where nothing can run beside kswapd, and does it gain more with four?

On a host with fewer CPUs than the device the four take turns: that leg then says less.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = ["baseline=stock", "patched=kcompressd"]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1

[[legs]]
name = "1-cpu"
virtual.cpus = 1

[[legs]]
name = "4-cpus"
virtual.cpus = 4
"""
