"""CPU time of single threads from the trace's context switches, without the trace processor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from foundation.contract import conventions
from foundation.contract.cpu_time import (
    EDGE_NS,
    Measured,
    Moved,
    OnCpu,
    Switch,
    contradictions,
    handed_over_ns,
    irq_ns,
    moved_by,
)
from harness.capture.samples import Sample
from workloads.kills import KillMark

_NEVER: Final = OnCpu(0, 0)
#: In place of a pid: it is unknown which thread runs.
_UNKNOWN: Final = -1


class RunTime(NamedTuple):
    """A thread's time in the window, its ns in the window extended by `EDGE_NS` on either side, and
    what may have moved between it and others (`Moved`)."""

    inside: OnCpu = _NEVER
    around_ns: int = 0
    moved: Moved = Moved()


class RunTimes:
    """Adds up the time on CPU of ``tids`` inside and around ``window_ns`` (CLOCK_BOOTTIME).

    Counts as the trace processor's ``sched`` table does: the thread on a CPU is unknown before its
    first switch, and if that is a compact event, before its second one. ``births`` are the
    creation times of processes, ns by pid (Perfetto's traces only), ``marks`` the kills that lmkd
    marked. Switches of one CPU must come in time order, CPUs and wakings in any.
    """

    def __init__(self, tids: Collection[int], window_ns: tuple[int, int]) -> None:
        self.window_ns = window_ns
        self._begin, self._end = window_ns
        self._running: dict[int, tuple[int, int]] = {}
        # By tid: ns and intervals in the window, ns in the extended window.
        self._times = {tid: [0, 0, 0] for tid in tids}
        self._late = dict.fromkeys(tids, 0)
        self._switches: list[Switch] = []
        self._wakings: dict[int, list[int]] = {}
        self._in_window = False
        self.births: dict[int, int] = {}
        self.marks: list[KillMark] = []

    def switch(self, cpu: int, t_ns: int, next_pid: int, *, compact: bool = False) -> None:
        """One context switch: ``next_pid`` runs on ``cpu`` from ``t_ns`` on."""
        pid, since = self._running.get(cpu, (_UNKNOWN, 0))
        if pid in self._times:
            self._add(pid, since, t_ns)
        if pid != _UNKNOWN and (pid in self._times or next_pid in self._times) and self._near(t_ns):
            self._switches.append(Switch(pid, since, t_ns, next_pid))
        if compact and cpu not in self._running:
            self._running[cpu] = _UNKNOWN, t_ns
            return
        if t_ns < self._end:
            self._in_window = True
        self._running[cpu] = next_pid, t_ns

    def waking(self, t_ns: int, pid: int) -> None:
        """A thread is woken (sched_waking), to run on any CPU."""
        if self._near(t_ns):
            self._wakings.setdefault(pid, []).append(t_ns)

    def _near(self, t_ns: int) -> bool:
        return self._begin - 2 * EDGE_NS < t_ns < self._end + EDGE_NS

    def result(self, recorded_until_ns: int) -> Mapping[int, RunTime] | None:
        """Times by tid, or None if no switch was recorded by the window's end. Call once, at the end."""
        if not self._in_window:
            return None
        last_ns = max(recorded_until_ns, *(since for _, since in self._running.values()))
        for pid, since in self._running.values():
            if pid in self._times:
                self._add(pid, since, last_ns)
        self._running = {}
        for wakings in self._wakings.values():
            wakings.sort()
        handed = [(one, handed_over_ns(one, self._wakings.get(one.after, ()))) for one in self._switches]
        moved = moved_by(handed, self._late, self._end)
        return {tid: RunTime(OnCpu(*times[:2]), times[2], moved[tid]) for tid, times in self._times.items()}

    def _add(self, pid: int, since: int, until: int) -> None:
        begin, end, times = self._begin, self._end, self._times[pid]
        if since < end and until > begin:
            times[0] += (until if until < end else end) - (since if since > begin else begin)
            times[1] += 1
            if until >= end:
                self._late[pid] += end - (since if since > begin else begin)
        if since < end + EDGE_NS and until > begin - EDGE_NS:
            times[2] += min(until, end + EDGE_NS) - max(since, begin - EDGE_NS)


def run_time_reasons(run_times: Mapping[int, RunTime] | None, begin: Sample, end: Sample) -> list[str]:
    """Void reasons: threads whose time in the trace contradicts their schedstat.

    Skips threads without schedstat at both samples, and counters that fell: those have a reason
    of their own.
    """
    measured = []
    for tid, comm in sorted(begin.threads.items()):
        name = conventions.schedstat(comm, tid, "run_ns")
        if run_times is None or name not in begin.values or name not in end.values:
            continue
        schedstat_ns = end.values[name] - begin.values[name]
        if schedstat_ns < 0:
            continue
        measured.append(Measured(comm, schedstat_ns, *run_times.get(tid, RunTime())))
    names = [conventions.stat_ticks(field) for field in conventions.STAT_IRQ]
    ticks = [[sample.values.get(name) for name in names] for sample in (begin, end)]
    return contradictions(measured, irq_ns(*ticks))
