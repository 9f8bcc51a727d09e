"""CPU time and runnable wait of the kernel threads that reclaim and compress."""

from __future__ import annotations

from typing import Final

from analysis.metrics.definition import Metric, Needs

_SCHED: Final = Needs(ftrace_events=frozenset({"sched/sched_switch"}), schedstat=True)
_WAKE: Final = Needs(
    ftrace_events=frozenset({"sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new"})
)
_SOURCE: Final = (
    "sched_switch intervals (include/trace/events/sched.h); thread names of analysis/threads.py"
)

METRICS: Final = (
    Metric(
        name="kswapd_cpu_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="time that threads of role reclaim (kswapd of every node) were on a CPU in the window",
        source=_SOURCE,
        needs=_SCHED,
    ),
    Metric(
        name="compression_cpu_ms",
        unit="ms",
        direction="none",
        family="reclaim CPU",
        definition="time that threads of role compression were on a CPU in the window; 0 where the"
        " capture saw no such thread. A hardware engine's own work is not in it",
        source=_SOURCE,
        needs=_SCHED,
        scale="difference",
    ),
    Metric(
        name="vendor_reclaim_cpu_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="time that threads of role vendor_reclaim were on a CPU in the window",
        source=_SOURCE,
        needs=_SCHED,
        scale="difference",
    ),
    Metric(
        name="kswapd_runnable_wait_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="time that threads of role reclaim were runnable (state R or R+) but not on a CPU",
        source="thread states from sched_switch and sched_waking",
        needs=_WAKE,
        threshold=0.10,
    ),
    Metric(
        name="compression_runnable_wait_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="time that threads of role compression were runnable (state R or R+) but not on a CPU",
        source="thread states from sched_switch and sched_waking",
        needs=_WAKE,
        threshold=0.10,
        scale="difference",
    ),
    Metric(
        name="kswapd_awake_ms",
        unit="ms",
        direction="lower",
        family="reclaim CPU",
        definition="time between kswapd's wake and its next sleep in the window, summed over nodes;"
        " longer than its CPU time where it waits or is preempted",
        source="mm_vmscan_kswapd_wake, mm_vmscan_kswapd_sleep (include/trace/events/vmscan.h)",
        needs=Needs(
            ftrace_events=frozenset({"vmscan/mm_vmscan_kswapd_wake", "vmscan/mm_vmscan_kswapd_sleep"})
        ),
    ),
)
