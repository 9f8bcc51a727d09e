"""What a metric is: its name, unit, direction, what it needs, and where its definition comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from foundation.comparison import Direction, Scale
from foundation.contract.needs import Needs, Request

Reduce = Literal["mean", "median"]


@dataclass(frozen=True)
class Shown:
    """Where reports show a metric besides the table of all verdicts.

    ``terminal`` and ``mail``: below the primaries, lowest ``order`` first. ``one_sided``: only a
    kernel with a compression thread has it, so its medians stand in a table of that kernel alone.
    ``side_by_side`` is the title of the table in which the medians of all kernels stand side by
    side. ``cpu_of`` names who spends this part of reclaim's CPU time; the parts do not overlap.
    """

    order: int = 0
    terminal: bool = False
    mail: bool = False
    one_sided: bool = False
    side_by_side: str = ""
    cpu_of: str = ""


#: In the table of all verdicts and nowhere else.
TABLE_ONLY: Final = Shown()


@dataclass(frozen=True)
class Metric:
    """One figure of one repetition.

    ``direction`` says which way is better (``none``: neither, a description of the work).
    ``threshold`` is the practical threshold as a share of the baseline: a smaller change
    does not matter to a user or a reviewer. ``scale`` is how two variants are compared:
    ``ratio`` where both are above 0, ``difference`` where one of them is expected to be 0
    (the threshold is then a share of the baseline's median). ``count`` marks what can come
    to 0 in a good run (stalls, kills): its difference is reported beside the ratio.
    ``reduce`` is how the repetitions of a block become one value: their mean, or the median for
    latency percentiles and maxima.
    ``plain`` is what a reader who does not know the name calls it; empty: the name.
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
    plain: str = ""
    shown: Shown = TABLE_ONLY

    @property
    def heavy(self) -> bool:
        """Whether it is recorded only on request, for what the recording itself costs."""
        return self.request is not None


@dataclass(frozen=True)
class Catalogue:
    """Every metric of the suite by name, and those that decide: what a device is held against."""

    metrics: Mapping[str, Metric]
    primaries: tuple[str, ...]

    def needs(self, *, recorded_by_default: bool = False) -> Needs:
        """What all of them need recorded, or only those that every campaign records."""
        return Needs.union(
            metric.needs for metric in self.metrics.values() if not (recorded_by_default and metric.heavy)
        )
