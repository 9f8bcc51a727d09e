"""A campaign's plan: everything that is fixed before its first block."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from msgspec import UNSET, UnsetType

from analysis.metrics import requested_metrics
from foundation.contract.needs import Request
from foundation.contract.records import CampaignRecord, PlannedBlock, ProfileRecord, VariantRecord
from foundation.errors import UsageError
from foundation.version import SUITE_VERSION
from harness.campaign.schedule import schedule
from harness.campaign.workloads import workload_named
from harness.variants.variant import Variant
from workloads.profile import Profile

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
        """Fields of the record that two commands must have in common to be the same campaign."""
        return {
            "workload": self.workload,
            "profile": ProfileRecord(self.profile.name, self.profile.source),
            "scenarios": self.scenarios,
            "variants": tuple(
                VariantRecord(v.name, v.kind.word, dict(v.options), v.spec, self._images(v.name))
                for v in self.variants
            ),
            "pairs": self.pairs,
            "reps": self.reps,
            "metrics": self.metrics,
            "suppressed": self.suppressed,
        }

    def _images(self, variant: str) -> dict[str, str] | UnsetType:
        return dict(self.images[variant]) if variant in self.images else UNSET

    def record(
        self, *, emulated: bool, lanes: Mapping[str, Mapping[str, str]], void_rules: Sequence[str]
    ) -> CampaignRecord:
        """The content of ``campaign.json``, made now."""
        return CampaignRecord(
            name=self.name,
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=self.seed,
            **self.identity(),
            primaries=self.primaries,
            alpha=ALPHA,
            schedule=self.blocks,
            suite_version=SUITE_VERSION,
            tools={name: version(name) for name in _TOOLS},
            emulated=emulated,
            lanes=lanes,
            host={
                "machine": platform.machine(),
                "kernel": platform.release(),
                "python": platform.python_version(),
            },
            void_rules=tuple(void_rules),
        )


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
    """Fix the plan; UsageError if the profile is of another workload, or `zram` cannot be suppressed."""
    kind = workload_named(workload)
    if profile.workload != workload:
        raise UsageError(
            f"profile {profile.name} is of {profile.workload}, and this question is asked with {workload}",
            next_step=f"use profile {kind.profile}, or one like it",
        )
    if kind.recreates_zram and "zram" in suppressed:
        raise UsageError(
            f"--suppress zram cannot be used with {workload}, which recreates zram for each cycle",
            next_step="leave it out (that needs root), or use another workload",
        )
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
