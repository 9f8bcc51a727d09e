"""Is the thread a loss on one CPU, where nothing runs in parallel to kswapd, and a larger gain on four?

By the host's clock, since CPUs that share one stream of instructions gain nothing from each other: run
it on a quiet host, and on several. On a host with fewer than four CPUs, those of the device take turns,
and that leg shows less.
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
virtual.base = "6.12-amd64"
virtual.clock = "host"
virtual.memory_mb = 224

[[legs]]
name = "1-cpu"
virtual.cpus = 1

[[legs]]
name = "4-cpus"
virtual.cpus = 4
"""
