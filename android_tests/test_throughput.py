"""Does the compression thread speed up reclaim of anonymous memory, and avoid allocation stalls?

The published claim for the patch set: pgsteal_anon/s rises from 300,000 to above 800,000 with a memory
eater, and allocation stalls halve. Each `test_block` item is one boot of one variant under the memory
eater; each `test_verdict` item is the verdict on one primary metric in one scenario.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["WORKLOAD", "test_block", "test_verdict"]

WORKLOAD = "memory-eater"
