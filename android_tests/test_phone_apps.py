"""Does the thread help on a phone in use?

100 rounds over 23 apps for each kernel, with the phone's own governor and with all frequencies fixed.
Both variants are the same kernel, with the sysctl vm.kcompressd off and on; for your own kernels, copy
the campaign with `python -m android_tests.campaign show phone-apps` and change its variants.
"""

from harness.campaign.items import test_block, test_verdict

__all__ = ["CAMPAIGN", "test_block", "test_verdict"]

CAMPAIGN = """
workload = "app-switching"
profile = "phone-apps"
variants = ["off=sysctl:vm.kcompressd=0", "on=sysctl:vm.kcompressd=24"]
scenarios = ["idle"]
pairs = 10
reps = 5

[[legs]]
name = "governor"

[[legs]]
name = "fixed"
set.phone.cpufreq = "fixed"
"""
