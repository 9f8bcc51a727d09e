"""The workloads of campaigns: the test file and the primary metrics of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from analysis.metrics import PRIMARIES
from foundation.contract.arch import arch_of
from foundation.contract.device import Device
from foundation.errors import UsageError
from foundation.words import did_you_mean
from harness.campaign.host import Host
from workloads.app_switching import AppSwitching
from workloads.memory_eater import MemoryEater
from workloads.profile import Profile
from workloads.protocol import Workload


@dataclass(frozen=True)
class WorkloadKind:
    """A workload, the test file whose question it answers, and its primary metrics.

    ``primaries``, at most three, are fixed here before the first block of any campaign. ``warm_up``
    describes the warm-up. ``make`` is also given what empties the zram of the block. ``recreates_zram``:
    each cycle needs a new zram, so zram cannot be suppressed.
    """

    name: str
    file: str
    profile: str
    primaries: tuple[str, ...]
    warm_up: str
    make: Callable[[Device, Profile, Host, Callable[[], None]], Workload]
    recreates_zram: bool = False


def _eater(device: Device, profile: Profile, host: Host, empty_swap: Callable[[], None]) -> Workload:
    return MemoryEater(
        device,
        profile,
        program=host.program("eater", arch_of(device)),
        recreate_swap=empty_swap,
    )


WORKLOADS: Final = {
    kind.name: kind
    for kind in (
        WorkloadKind(
            name="app-switching",
            file="test_app_switching.py",
            profile="phone-like",
            primaries=PRIMARIES,
            warm_up="cold starts until memory is full, then one warm-up cycle",
            make=lambda device, profile, host, empty_swap: AppSwitching(device, profile),
        ),
        WorkloadKind(
            name="memory-eater",
            file="test_throughput.py",
            profile="eater",
            primaries=("pgsteal_anon_per_s", "allocstall", "reclaim_cpu_us_per_page"),
            warm_up="one warm-up cycle",
            make=_eater,
            recreates_zram=True,
        ),
    )
}
DEFAULT: Final = "app-switching"


def workload_named(name: str) -> WorkloadKind:
    """The workload called ``name``. UsageError with the nearest name."""
    kind = WORKLOADS.get(name)
    if kind is None:
        raise UsageError(f"unknown workload '{name}'", next_step=did_you_mean(name, list(WORKLOADS)))
    return kind
