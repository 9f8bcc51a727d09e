from __future__ import annotations

import pytest

from analysis.metrics import (
    PRIMARIES,
    all_metrics,
    light_metrics,
    needs_of,
    reclaim_probes,
    requested_metrics,
)
from foundation.contract.needs import Request
from foundation.errors import UsageError
from harness.campaign.plan import Plan
from harness.variants.variant import parse_variants
from workloads.profile import load_profile

QUEUE_EVENTS = {"zram_kcompressd/kcompressd_queue", "zram_kcompressd/kcompressd_done"}


def plan(*requests: Request) -> Plan:
    return Plan(
        name="smoke",
        workload="app-switching",
        profile=load_profile("smoke"),
        scenarios=("idle",),
        variants=parse_variants(["a=stock", "b=kcompressd"], device_kind="virtual"),
        pairs=2,
        reps=1,
        seed=1,
        lanes=("virtual-0",),
        requests=requests,
    )


def test_the_eater_makes_zram_anew_and_cannot_leave_it_alone() -> None:
    with pytest.raises(UsageError, match="--suppress zram cannot be used with memory-eater"):
        Plan(
            name="eater",
            workload="memory-eater",
            profile=load_profile("eater"),
            scenarios=("idle",),
            variants=parse_variants(["a=as-is", "b=as-is"], device_kind="phone"),
            pairs=2,
            reps=1,
            seed=1,
            lanes=("phone-0",),
            suppressed=("zram",),
        )


def test_pages_are_not_traced_one_by_one_unless_it_is_asked_for() -> None:
    """Their events cost CPU on the kernel that has them, which would be taken for its own."""
    assert not QUEUE_EVENTS & needs_of(plan().metrics).ftrace_events
    assert needs_of(plan("queue").metrics).ftrace_events >= QUEUE_EVENTS
    assert plan().metrics == tuple(light_metrics())
    assert plan("queue").metrics == tuple(requested_metrics(["queue"]))
    assert plan("queue", "reclaim", "faults").metrics == tuple(all_metrics())
    assert set(PRIMARIES) < set(plan().metrics)


def test_calls_of_the_kernel_are_recorded_only_where_it_is_asked_for() -> None:
    assert not needs_of(plan("queue").metrics).probes
    assert needs_of(plan("reclaim").metrics).probes >= set(reclaim_probes.ALL)
    assert not QUEUE_EVENTS & needs_of(plan("reclaim").metrics).ftrace_events


def test_a_campaign_with_other_metrics_is_another_campaign() -> None:
    assert plan("queue").identity() != plan().identity()
