"""CPU time and runnable wait of the kernel threads that reclaim and compress.

A thread is on a CPU from one sched_switch to the next. The cost of a switch itself, some
microseconds, thereby counts for the thread that leaves; /proc/PID/schedstat gives it to the
one that comes (see `analysis.trace.schedstat`).
"""

from __future__ import annotations

from typing import Final

from analysis.trace.figure import Figure, unknown
from analysis.trace.on_cpu import on_cpu
from analysis.trace.recording import (
    Recording,
    sql_list,
    sql_of,
    whole,
)
from foundation.contract import conventions as names
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs
from foundation.contract.threads import Role, role_of

_SCHED: Final = Needs(ftrace_events=frozenset({"sched/sched_switch"}), schedstat=True)
_WAKE: Final = Needs(
    ftrace_events=frozenset({"sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new"})
)
_SOURCE: Final = (
    "sched_switch intervals (include/trace/events/sched.h); thread names of foundation/contract/threads.py"
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
        plain="kswapd CPU time",
        shown=Shown(cpu_of="kswapd"),
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
        shown=Shown(10, terminal=True, mail=True, cpu_of="compression thread"),
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
        shown=Shown(cpu_of="vendor reclaim threads"),
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
        shown=Shown(80, mail=True),
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
        " longer than its CPU time where it waits, is preempted, or naps (up to 0.1 s) before it sleeps",
        source="mm_vmscan_kswapd_wake, mm_vmscan_kswapd_sleep (include/trace/events/vmscan.h)",
        needs=Needs(
            ftrace_events=frozenset({"vmscan/mm_vmscan_kswapd_wake", "vmscan/mm_vmscan_kswapd_sleep"})
        ),
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`.

    TraceError if scheduling was recorded and no thread has role reclaim: then the names of
    this device are unknown to us, and 0 would be wrong.
    """
    if not recording.has_sched:
        why = unknown("the trace has no sched_switch events in the window")
        return {metric.name: why for metric in METRICS}
    if not recording.with_role("reclaim"):
        raise recording.error(
            f"no thread has the role reclaim (kswapd); {recording.names_seen()}",
            "record with a process tree; add the device's name for kswapd to"
            " foundation/contract/threads.py",
        )
    return {
        "kswapd_cpu_ms": _cpu(recording, "reclaim"),
        "compression_cpu_ms": _cpu(recording, "compression"),
        "vendor_reclaim_cpu_ms": _cpu(recording, "vendor_reclaim"),
        "kswapd_runnable_wait_ms": _wait(recording, "reclaim"),
        "compression_runnable_wait_ms": _wait(recording, "compression"),
        "kswapd_awake_ms": _awake(recording),
    }


def _absent(recording: Recording, role: Role) -> Figure:
    """What the absence of a role means: 0 where the capture looked for it, else unknown."""
    listed = (recording.capture or {}).get(names.CAPTURE_THREADS)
    if listed is not None:
        comms = [entry.partition(":")[2] for entry in str(listed).split()]
        lost = [comm for comm in comms if role_of(comm) == role]
        if lost:
            return unknown(f"the capture saw {', '.join(lost)}, but the trace does not name it")
        return Figure(0.0)
    return unknown(f"no thread has the role {role}; {recording.names_seen()}")


def _cpu(recording: Recording, role: Role) -> Figure:
    threads = recording.with_role(role)
    if not threads:
        return _absent(recording, role)
    times = on_cpu(recording, [thread.utid for thread in threads]).values()
    return Figure(sum(time.ns for time in times) / 1e6)


def _wait(recording: Recording, role: Role) -> Figure:
    threads = recording.with_role(role)
    if not threads:
        return _absent(recording, role)
    if not recording.event_recorded("sched_waking"):
        return unknown("the trace has no sched_waking events: the wait after a wake-up is unknown")
    query = sql_of(
        __file__,
        "runnable_wait",
        utids=sql_list([thread.utid for thread in threads]),
        begin=recording.window.begin,
        end=recording.window.end,
        trace_end=recording.bounds[1],
    )
    return Figure(sum(whole(ns) for _, ns in recording.session.rows(query)) / 1e6)


def _awake(recording: Recording) -> Figure:
    if not recording.event_recorded("mm_vmscan_kswapd_wake"):
        return unknown("the trace has no mm_vmscan_kswapd_wake events")
    query = sql_of(__file__, "kswapd_awake", begin=recording.window.begin, end=recording.window.end)
    ((ns,),) = recording.session.rows(query)
    return Figure(whole(ns) / 1e6)
