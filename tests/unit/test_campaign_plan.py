from __future__ import annotations

from analysis.metrics import PRIMARIES, all_metrics, light_metrics, needs_of
from android_tests.campaign.plan import Plan, make_plan
from android_tests.campaign.variants import parse_variants
from workloads.profile import load_profile

QUEUE_EVENTS = {"zram_kcompressd/kcompressd_queue", "zram_kcompressd/kcompressd_done"}


def plan(*, trace_queue: bool) -> Plan:
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
    )


def test_pages_are_not_traced_one_by_one_unless_it_is_asked_for() -> None:
    """Their events cost CPU on the kernel that has them, which would be taken for its own."""
    assert not QUEUE_EVENTS & needs_of(plan(trace_queue=False).metrics).ftrace_events
    assert needs_of(plan(trace_queue=True).metrics).ftrace_events >= QUEUE_EVENTS
    assert plan(trace_queue=False).metrics == tuple(light_metrics())
    assert plan(trace_queue=True).metrics == tuple(all_metrics())
    assert set(PRIMARIES) < set(plan(trace_queue=False).metrics)


def test_a_campaign_with_other_metrics_is_another_campaign() -> None:
    assert plan(trace_queue=True).identity() != plan(trace_queue=False).identity()
