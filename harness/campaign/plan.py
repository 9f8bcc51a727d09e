"""A campaign's plan: everything that is fixed before its first block."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from analysis.metrics import requested_metrics
from foundation.contract.needs import Request
from foundation.contract.results import SCHEMA_VERSION
from foundation.errors import UsageError
from foundation.version import SUITE_VERSION
from foundation.words import did_you_mean
from harness.campaign.schedule import PlannedBlock, schedule
from harness.campaign.workloads import workload_named
from harness.variants.variant import Variant
from workloads.profile import Profile

SCENARIOS = ("idle", "busy", "rt-busy")
ALPHA = 0.05

_TOOLS = ("adbutils", "perfetto", "viztracer", "wasmtime", "numpy", "pandas", "scipy", "pytest")


@dataclass(frozen=True)
class Plan:
    """What will be measured, in which order, and how it will be judged.

    ``images`` maps a variant that brings images to their SHA-256 by partition.
    """

    name: str
    workload: str
    profile: Profile
    scenarios: tuple[str, ...]
    variants: tuple[Variant, ...]
    pairs: int
    reps: int
    seed: int
    lanes: tuple[str, ...]
    blocks: tuple[PlannedBlock, ...]
    trace_queue: bool = False
    trace_reclaim: bool = False
    trace_faults: bool = False
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    suppressed: tuple[str, ...] = ()

    def variant(self, name: str) -> Variant:
        return next(variant for variant in self.variants if variant.name == name)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is recorded for, in the order of reports."""
        return tuple(requested_metrics(self.requests))

    @property
    def requests(self) -> tuple[Request, ...]:
        """What is recorded besides, though recording it costs CPU time."""
        asked: dict[Request, bool] = {
            "queue": self.trace_queue,
            "reclaim": self.trace_reclaim,
            "faults": self.trace_faults,
        }
        return tuple(request for request, on in asked.items() if on)

    @property
    def primaries(self) -> tuple[str, ...]:
        """The metrics that decide: those of the workload."""
        return workload_named(self.workload).primaries

    def identity(self) -> dict[str, Any]:
        """What two commands must have in common to be the same campaign."""
        return {
            "workload": self.workload,
            "profile": {"name": self.profile.name, "toml": self.profile.source},
            "scenarios": list(self.scenarios),
            "variants": [
                {"name": v.name, "kind": v.kind.word, "options": dict(v.options), "spec": v.spec}
                | ({"images": dict(self.images[v.name])} if v.name in self.images else {})
                for v in self.variants
            ],
            "pairs": self.pairs,
            "reps": self.reps,
            "metrics": list(self.metrics),
            "suppressed": list(self.suppressed),
        }

    def to_json(
        self,
        *,
        emulated: bool,
        lanes: Mapping[str, Mapping[str, str]],
        void_rules: Sequence[str],
    ) -> dict[str, Any]:
        """The content of ``campaign.json``."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": self.seed,
            **self.identity(),
            "primaries": list(self.primaries),
            "alpha": ALPHA,
            "schedule": [vars(block) for block in self.blocks],
            "suite_version": SUITE_VERSION,
            "tools": {name: version(name) for name in _TOOLS},
            "emulated": emulated,
            "lanes": json.loads(json.dumps(lanes)),
            "host": {
                "machine": platform.machine(),
                "kernel": platform.release(),
                "python": platform.python_version(),
            },
            "void_rules": list(void_rules),
        }


def parse_scenarios(text: str) -> tuple[str, ...]:
    """``idle,busy`` to names; UsageError with the nearest name for an unknown one."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UsageError("no scenario given", next_step=f"known: {', '.join(SCENARIOS)}")
    for name in names:
        if name not in SCENARIOS:
            raise UsageError(f"unknown scenario '{name}'", next_step=did_you_mean(name, SCENARIOS))
    return names


def make_plan(
    *,
    workload: str,
    profile: Profile,
    scenarios: tuple[str, ...],
    variants: tuple[Variant, ...],
    pairs: int,
    reps: int,
    seed: int,
    lanes: tuple[str, ...],
    trace_queue: bool = False,
    trace_reclaim: bool = False,
    trace_faults: bool = False,
    suppressed: tuple[str, ...] = (),
    name: str | None = None,
    images: Mapping[str, Mapping[str, str]] | None = None,
) -> Plan:
    """Fix the plan; UsageError if the numbers make no campaign, or the profile is of another workload."""
    if profile.workload != workload:
        raise UsageError(
            f"profile {profile.name} is of {profile.workload}, and this question is asked with {workload}",
            next_step=f"use profile {workload_named(workload).profile}, or one like it",
        )
    if workload == "memory-eater" and "zram" in suppressed:
        raise UsageError(
            "--suppress zram does not go with the memory eater, which makes zram anew for each cycle",
            next_step="leave it out (the eater needs root), or ask with app switching",
        )
    if not 1 <= pairs <= 200:
        raise UsageError(
            f"{pairs} pairs make no campaign", next_step="give --pairs 1 to 200; 7 can show a change"
        )
    if not 1 <= reps <= 50:
        raise UsageError(f"{reps} repetitions a block cannot be run", next_step="give --reps 1 to 50")
    blocks = schedule([v.name for v in variants], scenarios, pairs, seed, lanes)
    return Plan(
        name=name or workload,
        workload=workload,
        profile=profile,
        scenarios=scenarios,
        variants=variants,
        pairs=pairs,
        reps=reps,
        seed=seed,
        lanes=lanes,
        blocks=blocks,
        trace_queue=trace_queue,
        trace_reclaim=trace_reclaim,
        trace_faults=trace_faults,
        images=images or {},
        suppressed=suppressed,
    )
