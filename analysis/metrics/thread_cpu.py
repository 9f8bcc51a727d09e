"""CPU time and run delay of the kernel threads that reclaim and compress.

A thread is on a CPU from one sched_switch to the next. The cost of a switch itself, some
microseconds, is thus charged to the outgoing thread; /proc/PID/schedstat charges it to the
incoming one (see `analysis.trace.schedstat`).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from analysis.trace.figure import Figure, all_unknown, unknown
from analysis.trace.on_cpu import on_cpu
from analysis.trace.recording import NO_SCHED, Recording, as_int
from foundation.contract import conventions as names
from foundation.contract.metric import Metric, Shown
from foundation.contract.needs import Needs
from foundation.contract.threads import Role, role_of

_SCHED: Final = Needs(ftrace_events=frozenset({"sched/sched_switch"}), schedstat=True)
_WAKE: Final = Needs(
    ftrace_events=frozenset({"sched/sched_switch", "sched/sched_waking", "sched/sched_wakeup_new"})
)
_STATES: Final = "thread states from sched_switch and sched_waking"

_metric = partial(
    Metric,
    unit="ms",
    direction="lower",
    family="reclaim CPU",
    source="sched_switch intervals (include/trace/events/sched.h); thread names of"
    " foundation/contract/threads.py",
    needs=_SCHED,
)

METRICS: Final = (
    _metric(
        "kswapd_cpu_ms",
        definition="CPU time of threads of role reclaim (kswapd of every node) in the window",
        plain="kswapd CPU time",
        shown=Shown(cpu_of="kswapd"),
    ),
    _metric(
        "compression_cpu_ms",
        direction="none",
        definition="CPU time of threads of role compression in the window; 0 if the kernel's threads are"
        " known and none is such. Excludes the work of a hardware engine",
        scale="difference",
        shown=Shown(10, terminal=True, mail=True, cpu_of="compression thread"),
    ),
    _metric(
        "vendor_reclaim_cpu_ms",
        definition="CPU time of threads of role vendor_reclaim in the window",
        scale="difference",
        shown=Shown(cpu_of="vendor reclaim threads"),
    ),
    _metric(
        "kswapd_runnable_wait_ms",
        definition="run delay of threads of role reclaim in the window: runnable (state R or R+) but not on"
        " a CPU",
        source=_STATES,
        needs=_WAKE,
        threshold=0.10,
        shown=Shown(80, mail=True),
    ),
    _metric(
        "compression_runnable_wait_ms",
        definition="run delay of threads of role compression in the window: runnable (state R or R+) but"
        " not on a CPU",
        source=_STATES,
        needs=_WAKE,
        threshold=0.10,
        scale="difference",
    ),
    _metric(
        "kswapd_awake_ms",
        definition="time from mm_vmscan_kswapd_wake to mm_vmscan_kswapd_sleep in the window, summed over"
        " nodes; exceeds kswapd_cpu_ms if kswapd waits, is preempted, or naps (up to 0.1 s) before sleep",
        source="mm_vmscan_kswapd_wake, mm_vmscan_kswapd_sleep (include/trace/events/vmscan.h)",
        needs=Needs(
            ftrace_events=frozenset({"vmscan/mm_vmscan_kswapd_wake", "vmscan/mm_vmscan_kswapd_sleep"})
        ),
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`.

    TraceError if scheduling was recorded and no thread has role reclaim: this device uses a name
    that the suite does not know, and 0 would be wrong.
    """
    if not recording.has_sched:
        return all_unknown(METRICS, NO_SCHED)
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
    """The figure without a thread of the role: 0 if the kernel's threads are known, else unknown.

    They are if the suite looked for such threads, or if the trace's process tree lists the kernel's.
    """
    listed = (recording.capture or {}).get(names.CAPTURE_THREADS)
    if listed is not None:
        comms = [entry.partition(":")[2] for entry in str(listed).split()]
        lost = [comm for comm in comms if role_of(comm) == role]
        if lost:
            return unknown(f"the capture saw {', '.join(lost)}, but the trace does not name it")
        return Figure(0.0)
    if any(thread.kernel for thread in recording.with_role("reclaim")):
        kernel = sum(thread.kernel for thread in recording.threads)
        return Figure(0.0, f"none of the {kernel} kernel threads in the trace is known as one of {role}")
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
    why = recording.event_missing("sched_waking")
    if why is not None:
        return unknown(f"{why}: the run delay after a wake-up is unknown")
    rows = recording.query(__file__, "runnable_wait", utids=[thread.utid for thread in threads])
    return Figure(sum(as_int(ns) for _, ns in rows) / 1e6)


def _awake(recording: Recording) -> Figure:
    why = recording.event_missing("mm_vmscan_kswapd_wake")
    if why is not None:
        return unknown(why)
    ((ns,),) = recording.query(__file__, "kswapd_awake")
    return Figure(as_int(ns) / 1e6)
