"""A cycle of a workload without a recording, for tests that look at the device themselves."""

from __future__ import annotations

from foundation.contract.device import Device
from workloads.app_switching import AppSwitching
from workloads.protocol import run_cycle
from workloads.switches import CycleResult


def cycle(device: Device, switching: AppSwitching) -> CycleResult:
    """Run the next cycle and return its result."""
    run_cycle(device, switching)
    return switching.result()
