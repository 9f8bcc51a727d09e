"""A cycle of a workload without a recording, for tests that look at the device themselves."""

from __future__ import annotations

from foundation.contract.device import Device
from foundation.quoting import quote
from workloads.app_switching import AppSwitching
from workloads.protocol import run_cycle
from workloads.switches import CycleResult


def cycle(device: Device, switching: AppSwitching) -> CycleResult:
    """Run the next cycle and return its result."""
    run_cycle(device, switching)
    return switching.result()


def run_ns(device: Device, comm: str) -> int:
    """CPU time of the only thread ``comm``. toybox's pidof knows no kernel threads."""
    (path,) = device.script(f"grep -lx {quote(comm)} /proc/[0-9]*/comm; true").stdout.split()
    return int(device.read_text(path.replace("comm", "schedstat")).split()[0])
