"""Where in time the kernel lost ftrace events: the stretches before bundles that are marked incomplete."""

from __future__ import annotations

from typing import Any, Final

#: Before the first event of a CPU.
_NEVER: Final = -1


def bundle_span(bundle: Any) -> tuple[int, int] | None:
    """First and last time of an FtraceEventBundle's events, ns; None if it holds none."""
    first: list[int] = []
    last: list[int] = []
    if bundle.event:
        first.append(bundle.event[0].timestamp)
        last.append(bundle.event[-1].timestamp)
    compact = bundle.compact_sched
    # Delta-encoded; the first time of a bundle is absolute.
    for deltas in (compact.switch_timestamp, compact.waking_timestamp):
        if deltas:
            first.append(deltas[0])
            last.append(sum(deltas))
    return (min(first), max(last)) if first else None


class LostStretches:
    """Takes the bundles of a trace in the order of the file, and knows where each CPU lost events.

    The kernel marks the page before which it overwrote others (kernel/trace/ring_buffer.c,
    RB_MISSED_EVENTS), and Perfetto marks its bundle (``lost_events``): the events were lost between the
    bundle before it on this CPU and its own first event. ``last_ns`` is the last time of any event.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._open: dict[int, int] = {}
        self._stretches: dict[int, list[tuple[int, int]]] = {}
        self.last_ns = _NEVER

    def bundle(self, bundle: Any) -> None:
        """One FtraceEventBundle."""
        cpu, span = bundle.cpu, bundle_span(bundle)
        before = self._last.get(cpu, _NEVER)
        if bundle.lost_events:
            self._open.setdefault(cpu, before)
        if span is None:
            return
        if cpu in self._open:
            self._stretches.setdefault(cpu, []).append((self._open.pop(cpu), span[0]))
        self._last[cpu] = max(before, span[1])
        self.last_ns = max(self.last_ns, span[1])

    def marks(self, cpu: int) -> int:
        """How many bundles of the CPU are marked."""
        return len(self._stretches.get(cpu, ())) + (cpu in self._open)

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs with a marked bundle."""
        return tuple(sorted({*self._stretches, *self._open}))

    def outside(self, cpu: int, window: tuple[int, int]) -> bool:
        """Whether the CPU has marked bundles, and none of its events was lost in ``window`` (ns)."""
        if not self.marks(cpu) or (cpu in self._open and self._open[cpu] < window[1]):
            return False
        return all(end <= window[0] or begin >= window[1] for begin, end in self._stretches.get(cpu, ()))
