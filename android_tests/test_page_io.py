"""Does the thread help where the second patch set puts it, above zram in mm/page_io.c, on the series
that has both places?

The other place, in the zram module, is asked about by threads-depth. Both kernels are built on this host
from one source with one configuration, which takes minutes the first time. They need less memory than
Debian's kernel: 228 MB leave the apps as much as 256 MB there.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-like"
variants = ["baseline=built", "patched=kcompressd-page-io"]
scenarios = ["idle", "busy"]
pairs = 8
reps = 1
virtual.base = "6.1-amd64"
virtual.memory_mb = 228
"""
