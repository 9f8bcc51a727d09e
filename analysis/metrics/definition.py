"""What a metric is: its name, unit, direction, what it needs, and where its definition comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Direction = Literal["lower", "higher", "none"]
Reduce = Literal["mean", "median"]
Scale = Literal["ratio", "difference"]
Request = Literal["queue", "reclaim", "faults"]


@dataclass(frozen=True, order=True)
class Probe:
    """A function of the kernel whose calls are recorded, at entry and at return.

    ``name`` becomes the events ``<name>_enter`` and ``<name>_exit`` (`analysis.conventions`).
    ``symbols`` are its names in different kernels, the first that exists is taken; a suffix
    that a compiler gives to its own copies (``.constprop.0``, ``.isra.0``) is accepted.
    ``arguments`` are recorded at entry and ``result`` at return, in the kernel's own syntax
    (Documentation/trace/kprobetrace.rst); ``own_arguments`` are those of a symbol that has
    others. Unless ``everywhere`` only calls by threads that
    reclaim or compress are recorded; the others cost time all the same.
    """

    name: str
    symbols: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    own_arguments: tuple[tuple[str, tuple[str, ...]], ...] = ()
    everywhere: bool = False


@dataclass(frozen=True)
class Needs:
    """What must be recorded for a metric to be known.

    ``ftrace_events`` are ``group/name``; ``vmstat`` and ``meminfo`` are keys of those files
    (a key that the kernel lacks is recorded as absent, never as 0); ``psi`` holds
    ``resource.line`` such as ``memory.some``; ``switches`` asks for the app-switch slices;
    ``probes`` are calls of kernel functions, ``power_rails`` the energy of each rail, which few
    phones can tell.
    """

    ftrace_events: frozenset[str] = frozenset()
    probes: frozenset[Probe] = frozenset()
    vmstat: frozenset[str] = frozenset()
    meminfo: frozenset[str] = frozenset()
    psi: frozenset[str] = frozenset()
    zram: bool = False
    schedstat: bool = False
    switches: bool = False
    power_rails: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            ftrace_events=self.ftrace_events | other.ftrace_events,
            probes=self.probes | other.probes,
            vmstat=self.vmstat | other.vmstat,
            meminfo=self.meminfo | other.meminfo,
            psi=self.psi | other.psi,
            zram=self.zram or other.zram,
            schedstat=self.schedstat or other.schedstat,
            switches=self.switches or other.switches,
            power_rails=self.power_rails or other.power_rails,
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
    ``request`` names what a campaign must ask for to have it recorded (``--trace-queue`` and so
    on); None: always recorded. Events of every page cost CPU time, which not every kernel spends
    alike.
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
    request: Request | None = None
    any_of: frozenset[str] = frozenset()

    @property
    def heavy(self) -> bool:
        """Whether it is recorded only on request, for what the recording itself costs."""
        return self.request is not None


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
