"""The workloads of a campaign: which test file asks with them, and what decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.metrics import PRIMARIES
from android_tests.campaign.variants import nearest
from android_tests.device.protocol import Device
from foundation.errors import UsageError
from workloads.app_switching import AppSwitching
from workloads.memory_eater import MemoryEater
from workloads.profile import Profile
from workloads.protocol import Workload

FOLDER: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class WorkloadKind:
    """A workload, the test file whose question it answers, and its primary metrics.

    ``primaries`` are fixed here, before the first block of any campaign; at most three.
    """

    name: str
    file: str
    profile: str
    primaries: tuple[str, ...]
    warm_up: str
    make: Callable[[Device, Profile], Workload]


WORKLOADS: Final = {
    kind.name: kind
    for kind in (
        WorkloadKind(
            name="app-switching",
            file="test_app_switching.py",
            profile="phone-like",
            primaries=PRIMARIES,
            warm_up="cold starts until memory is full, then one warm-up cycle",
            make=AppSwitching,
        ),
        WorkloadKind(
            name="memory-eater",
            file="test_throughput.py",
            profile="eater",
            primaries=("pgsteal_anon_per_s", "allocstall", "reclaim_cpu_us_per_page"),
            warm_up="one warm-up cycle",
            make=MemoryEater,
        ),
    )
}
DEFAULT: Final = "app-switching"


def workload_named(name: str) -> WorkloadKind:
    """UsageError with the nearest name for an unknown one."""
    kind = WORKLOADS.get(name)
    if kind is None:
        raise UsageError(f"unknown workload '{name}'", next_step=nearest(name, list(WORKLOADS)))
    return kind


def workload_of_files(paths: Iterable[Path]) -> str | None:
    """Which workload the test files of a command line ask with; None if none of them asks.

    A folder asks nothing by itself. UsageError for two questions: a run is one campaign.
    """
    by_file = {kind.file: kind.name for kind in WORKLOADS.values()}
    asked = {
        path.name: by_file[path.name] for path in paths if path.parent == FOLDER and path.name in by_file
    }
    if len(asked) > 1:
        raise UsageError(
            f"{' and '.join(sorted(asked))} are two questions, and a run is one campaign",
            next_step="run them one after another, each with its own --results",
        )
    return next(iter(asked.values()), None)
