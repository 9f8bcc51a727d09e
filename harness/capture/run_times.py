"""CPU time of single threads as the trace has it, to hold against the kernel's own account.

The two are measured independently: by context switches here, by the scheduler's
``schedstat`` there. If they differ, one of them lost something.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from foundation.contract import conventions
from harness.capture.samples import Sample
from workloads.kills import KillMark

#: Differences up to this share of the time, or this much, are let pass: schedstat of a running
#: thread lags by up to a tick at either edge, and is not read in the same instant as the clock.
TOLERANCE_SHARE: Final = 0.05
TOLERANCE_NS: Final = 20_000_000

#: A thread that preempts at its wake-up is charged from the wake-up on (kernel/sched/core.c,
#: rq_clock_skip_update), while the trace has it run from the switch: 2.5 us a slice seen under
#: emulation, which is 20 % of a compression thread that is woken for each page.
TOLERANCE_SLICE_NS: Final = 5_000


class RunTimes:
    """Adds up the time on CPU of ``tids`` inside ``window_ns`` (CLOCK_BOOTTIME).

    ``births`` is when each process that was seen to begin did so, ns by pid (Perfetto's traces
    only), ``marks`` the kills that lmkd marked. Switches of one CPU must come in time order, CPUs in any.
    """

    def __init__(self, tids: Collection[int], window_ns: tuple[int, int]) -> None:
        self._tids = frozenset(tids)
        self._begin, self._end = window_ns
        self._running: dict[int, tuple[int, int]] = {}
        self._run_ns: dict[int, int] = dict.fromkeys(self._tids, 0)
        self.births: dict[int, int] = {}
        self.marks: list[KillMark] = []

    def switch(self, cpu: int, t_ns: int, prev_pid: int | None, next_pid: int) -> None:
        """One context switch; ``prev_pid`` None where the trace does not say it."""
        pid, since = self._running.get(cpu, (prev_pid, self._begin))
        if pid in self._tids:
            self._add(pid, since, t_ns)
        self._running[cpu] = next_pid, t_ns

    def result(self) -> Mapping[int, int] | None:
        """ns by tid, or None if there was no switch at all. Call once, at the end."""
        if not self._running:
            return None
        for pid, since in self._running.values():
            if pid in self._tids:
                self._add(pid, since, self._end)
        self._running = {}
        return self._run_ns

    def _add(self, pid: int | None, since: int, until: int) -> None:
        if pid is not None:
            self._run_ns[pid] += max(min(until, self._end) - max(since, self._begin), 0)


def run_time_reasons(run_ns: Mapping[int, int] | None, begin: Sample, end: Sample) -> tuple[str, ...]:
    """Void reasons: threads whose time in the trace is not what schedstat says.

    Threads that schedstat does not show at both samples are not judged.
    """
    if run_ns is None:
        return ()
    sampling_ns = (begin.t_end_boot_ns - begin.t_boot_ns) + (end.t_end_boot_ns - end.t_boot_ns)
    reasons = []
    for tid, comm in sorted(begin.threads.items()):
        name = conventions.schedstat(comm, tid, "run_ns")
        if tid not in run_ns or name not in begin.values or name not in end.values:
            continue
        told_ns = end.values[name] - begin.values[name]
        slices = conventions.schedstat(comm, tid, "slices")
        switched = end.values.get(slices, 0) - begin.values.get(slices, 0)
        limit_ns = (
            TOLERANCE_NS
            + sampling_ns
            + TOLERANCE_SLICE_NS * switched
            + TOLERANCE_SHARE * max(told_ns, run_ns[tid])
        )
        if abs(run_ns[tid] - told_ns) > limit_ns:
            reasons.append(
                f"{comm} (tid {tid}) ran {run_ns[tid] / 1e6:.1f} ms by the trace, "
                f"{told_ns / 1e6:.1f} ms by schedstat"
            )
    return tuple(reasons)
