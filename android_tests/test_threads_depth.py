"""How many compression threads, and how long a queue?

The first version of the patch set had 4 threads with 4096 entries each, the second 1 thread with 256,
and a port of it 1 thread with 24. Several threads are an option of 6.1's zram module, and what they gain
from a second CPU shows by the host's clock alone: run it on a quiet host, and on several.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = [
    "baseline=stock",
    "t1-d24=kcompressd:threads=1,depth=24",
    "t1-d256=kcompressd:threads=1,depth=256",
    "t1-d4096=kcompressd:threads=1,depth=4096",
    "t2-d24=kcompressd:threads=2,depth=24",
    "t2-d256=kcompressd:threads=2,depth=256",
    "t2-d4096=kcompressd:threads=2,depth=4096",
    "t4-d24=kcompressd:threads=4,depth=24",
    "t4-d256=kcompressd:threads=4,depth=256",
    "t4-d4096=kcompressd:threads=4,depth=4096",
]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
virtual.base = "6.1-amd64"
virtual.clock = "host"
virtual.cpus = 2
"""
