"""What a metric is: its name, unit, direction, what it needs, and where its definition comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Direction = Literal["lower", "higher", "none"]
Reduce = Literal["mean", "median"]
Scale = Literal["ratio", "difference"]


@dataclass(frozen=True)
class Needs:
    """What must be recorded for a metric to be known.

    ``ftrace_events`` are ``group/name``; ``vmstat`` and ``meminfo`` are keys of those files
    (a key that the kernel lacks is recorded as absent, never as 0); ``psi`` holds
    ``resource.line`` such as ``memory.some``; ``switches`` asks for the app-switch slices.
    """

    ftrace_events: frozenset[str] = frozenset()
    vmstat: frozenset[str] = frozenset()
    meminfo: frozenset[str] = frozenset()
    psi: frozenset[str] = frozenset()
    zram: bool = False
    schedstat: bool = False
    switches: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            ftrace_events=self.ftrace_events | other.ftrace_events,
            vmstat=self.vmstat | other.vmstat,
            meminfo=self.meminfo | other.meminfo,
            psi=self.psi | other.psi,
            zram=self.zram or other.zram,
            schedstat=self.schedstat or other.schedstat,
            switches=self.switches or other.switches,
        )

    @staticmethod
    def union(needs: Iterable[Needs]) -> Needs:
        """All needs together; `Needs()` for none."""
        total = Needs()
        for one in needs:
            total = total | one
        return total


@dataclass(frozen=True)
class Metric:
    """One figure of one repetition.

    ``direction`` says which way is better (``none``: neither, a description of the work).
    ``threshold`` is the practical threshold as a share of the baseline: a smaller change
    does not matter to a user or a reviewer. ``scale`` is how two variants are compared:
    ``ratio`` where both are above 0, ``difference`` where one of them is expected to be 0
    (the threshold is then a share of the baseline's median). ``count`` marks what can come
    to 0 in a good run (stalls, kills): its difference is reported beside the ratio.
    ``reduce`` is how the repetitions of a block become one value.
    ``heavy`` marks what needs events of every page from the kernels that have them: recording
    it costs them CPU that the others do not spend, so it is recorded only where asked for.
    ``any_of`` are keys of ``needs.vmstat`` of which a kernel has some: one is enough.
    ``source`` is the document or kernel file that the definition rests on.
    """

    name: str
    unit: str
    direction: Direction
    family: str
    definition: str
    source: str
    needs: Needs = field(default_factory=Needs)
    threshold: float = 0.05
    reduce: Reduce = "mean"
    scale: Scale = "ratio"
    count: bool = False
    heavy: bool = False
    any_of: frozenset[str] = frozenset()


@dataclass(frozen=True)
class MetricValue:
    """A metric of one trace.

    ``value`` is None where it cannot be known, and ``reason`` then says why. A ``reason``
    beside a value is a caution: what the reader must know before trusting it. ``engine`` is
    kind and version of the trace processor that answered.
    """

    trace: Path
    metric: str
    value: float | None
    unit: str
    reason: str | None = None
    engine: str | None = None
