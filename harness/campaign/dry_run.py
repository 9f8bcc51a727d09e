"""What a command would run, without touching a device."""

from __future__ import annotations

from collections.abc import Sequence

from harness.campaign.phone_commands import commands_text
from harness.campaign.plan import Plan
from harness.campaign.schedule import order_text
from harness.campaign.session import plan_of
from harness.campaign.settings import Settings


def dry_run_text(several: Sequence[Settings]) -> str:
    """Variants, schedule, seed and results folder of each campaign. UsageError, ResultsError."""
    return "\n\n".join(_one(settings, plan_of(settings)) for settings in several)


def _one(settings: Settings, plan: Plan) -> str:
    device = plan.lanes[0]
    if settings.device == "virtual":
        device += f", {settings.virtual_cpus} CPUs, {settings.virtual_memory_mb} MB"
    changed = ", ".join(
        f"{table}.{key} = {value}"
        for table, keys in settings.changes.items()
        for key, value in keys.items()
    )
    profile = f"profile {plan.profile.name}{f' with {changed}' if changed else ''}"
    return "\n".join(
        [
            f"{plan.name}: {plan.workload}, {profile}; {device}",
            *(f"  {variant.spec}" for variant in plan.variants),
            f"  decided by {', '.join(plan.primaries)}",
            order_text(plan.blocks),
            *(commands_text(settings, plan) if settings.device == "phone" else []),
            f"seed {plan.seed}, results in {settings.results}",
        ]
    )
