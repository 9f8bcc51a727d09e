"""A campaign's plan: everything that is fixed before the first block."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from analysis.metrics import requested_metrics
from foundation.contract.needs import Request
from foundation.contract.records import CampaignRecord, PlannedBlock, ProfileRecord, VariantRecord
from foundation.errors import UsageError
from foundation.version import SUITE_VERSION
from harness.campaign.rules import VOID_RULES
from harness.campaign.schedule import schedule
from harness.campaign.workloads import WorkloadKind, workload_named
from harness.variants.variant import Variant
from workloads.profile import Profile

#: What tells a virtual device the time: the instructions it has run, or the host.
Clock = Literal["instructions", "host"]

ALPHA = 0.05

_TOOLS = ("adbutils", "perfetto", "viztracer", "wasmtime", "numpy", "pandas", "scipy", "pytest")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be measured, in which order, and how it will be judged.

    ``requests`` are recordings beyond the default, which cost CPU time; ``images`` maps a variant that
    brings images to their SHA-256 by partition; ``clock`` is that of a virtual device, None for a phone.
    By instructions each pair has a workload seed of its own. UsageError if the profile is for another
    workload, or if ``suppressed`` holds a zram that the workload recreates.
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
    requests: tuple[Request, ...] = ()
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    suppressed: tuple[str, ...] = ()
    reset_backed_zram: bool = False
    clock: Clock | None = None

    def __post_init__(self) -> None:
        if self.profile.workload != self.workload:
            raise UsageError(
                f"profile {self.profile.name} is for {self.profile.workload}, not for {self.workload}",
                next_step=f"use profile {self.kind.profile}, or one like it",
            )
        if self.kind.recreates_zram and "zram" in self.suppressed:
            raise UsageError(
                f"--suppress zram cannot be used with {self.workload}, which recreates zram for each cycle",
                next_step="leave it out (which needs root), or use another workload",
            )

    @cached_property
    def blocks(self) -> tuple[PlannedBlock, ...]:
        """All blocks in the order in which they run."""
        names = [variant.name for variant in self.variants]
        seeded = self.clock == "instructions"
        return schedule(names, self.scenarios, self.pairs, self.seed, self.lanes, seeded=seeded)

    def profile_of(self, block: PlannedBlock) -> Profile:
        """The profile as ``block`` runs it: with the seed of its pair, if it has one."""
        return self.profile if block.seed is None else self.profile.seeded(block.seed)

    @property
    def kind(self) -> WorkloadKind:
        """The workload."""
        return workload_named(self.workload)

    def variant(self, name: str) -> Variant:
        """The variant called ``name``."""
        return next(variant for variant in self.variants if variant.name == name)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to record for, in the order of reports."""
        return tuple(requested_metrics(self.requests))

    @property
    def primaries(self) -> tuple[str, ...]:
        """The metrics that decide: those of the workload."""
        return self.kind.primaries

    def identity(self) -> dict[str, Any]:
        """The record's fields in which two commands must agree to be the same campaign."""
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
            "reset_backed_zram": self.reset_backed_zram,
            "clock": self.clock,
        }

    def _images(self, variant: str) -> dict[str, str] | UnsetType:
        return dict(self.images[variant]) if variant in self.images else UNSET

    def record(self, *, emulated: bool, lanes: Mapping[str, Mapping[str, str]]) -> CampaignRecord:
        """The content of a new ``campaign.json``; ``lanes`` holds what each lane's device reports."""
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
            void_rules=VOID_RULES,
        )
