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
from foundation.errors import UsageError
from harness.campaign.plan import Plan, make_plan
from harness.variants.variant import parse_variants
from workloads.profile import load_profile

QUEUE_EVENTS = {"zram_kcompressd/kcompressd_queue", "zram_kcompressd/kcompressd_done"}


def plan(*, trace_queue: bool = False, trace_reclaim: bool = False, trace_faults: bool = False) -> Plan:
    return make_plan(
        workload="app-switching",
        profile=load_profile("smoke"),
        scenarios=("idle",),
        variants=parse_variants(["a=stock", "b=kcompressd"], device_kind="virtual"),
        pairs=2,
        reps=1,
        seed=1,
        lanes=("virtual-0",),
        trace_queue=trace_queue,
        trace_reclaim=trace_reclaim,
        trace_faults=trace_faults,
    )


def test_the_eater_makes_zram_anew_and_cannot_leave_it_alone() -> None:
    with pytest.raises(UsageError, match="--suppress zram cannot be used with memory-eater"):
        make_plan(
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
    assert not QUEUE_EVENTS & needs_of(plan(trace_queue=False).metrics).ftrace_events
    assert needs_of(plan(trace_queue=True).metrics).ftrace_events >= QUEUE_EVENTS
    assert plan(trace_queue=False).metrics == tuple(light_metrics())
    assert plan(trace_queue=True).metrics == tuple(requested_metrics(["queue"]))
    assert plan(trace_queue=True, trace_reclaim=True, trace_faults=True).metrics == tuple(all_metrics())
    assert set(PRIMARIES) < set(plan(trace_queue=False).metrics)


def test_calls_of_the_kernel_are_recorded_only_where_it_is_asked_for() -> None:
    assert not needs_of(plan(trace_queue=True).metrics).probes
    assert needs_of(plan(trace_reclaim=True).metrics).probes >= set(reclaim_probes.ALL)
    assert not QUEUE_EVENTS & needs_of(plan(trace_reclaim=True).metrics).ftrace_events


def test_a_campaign_with_other_metrics_is_another_campaign() -> None:
    assert plan(trace_queue=True).identity() != plan(trace_queue=False).identity()
