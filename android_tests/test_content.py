"""Does the published gain (pgsteal_anon/s from 300,000 to above 800,000) depend on the content of the
pages?

A memory eater that writes one value everywhere gives zram next to nothing to compress: same-filled
pages take no memory, and should need no queue. From 6.12 on zero pages do not even reach zram: that leg
shows what is left without compression. Each leg eats enough to swap about 80 MB on top of what zram's
copies take.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "memory-eater"
profile = "eater"
variants = ["baseline=built", "patched=kcompressd"]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
virtual.memory_mb = 224

[[legs]]
name = "zero"
set.eater.mb = 240
set.eater.content = { zero = 1.0 }

# One word repeated through the page, as memset(0xff) leaves it.
[[legs]]
name = "same-filled"
set.eater.mb = 240
set.eater.content = { same = 1.0 }

[[legs]]
name = "ratio4"
set.eater.mb = 220
set.eater.content = { ratio4 = 1.0 }

[[legs]]
name = "ratio2"
set.eater.mb = 200
set.eater.content = { ratio2 = 1.0 }

# Storing an incompressible page frees nothing: the zero pages make room for the others.
[[legs]]
name = "random"
set.eater.mb = 175
set.eater.content = { random = 0.8, zero = 0.2 }
"""
