"""Does the compression thread make reclaim of anonymous memory faster, and spare allocation stalls?

The published claim for the patch set: pgsteal_anon/s from 300,000 to above 800,000 with a memory
eater, and half the allocation stalls. Each `test_block` item is one boot of one variant under the
memory eater; each `test_verdict` item is the answer for one primary metric of one scenario.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["WORKLOAD", "test_block", "test_verdict"]

WORKLOAD = "memory-eater"
