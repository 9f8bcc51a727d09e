"""What a metric is: its name, unit, direction, needs, and the source of its definition."""

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
    kernel with a compression thread has it, so its medians are in a table of that kernel alone.
    ``side_by_side`` is the title of a table with the medians of all kernels. ``cpu_of`` names
    who spends this part of reclaim's CPU time; the parts do not overlap.
    """

    order: int = 0
    terminal: bool = False
    mail: bool = False
    one_sided: bool = False
    side_by_side: str = ""
    cpu_of: str = ""


#: Only in the table of all verdicts.
TABLE_ONLY: Final = Shown()


@dataclass(frozen=True)
class Metric:
    """One figure of one repetition.

    ``direction``: which way is better (``none``: neither, it describes the work).
    ``threshold`` is the practical threshold as a share of the baseline: a smaller change
    does not matter to a user or a reviewer. ``scale`` is how two variants are compared:
    ``ratio`` where both are above 0, ``difference`` where one is expected to be 0
    (the threshold is then a share of the baseline's median). ``count``: it can be 0 in a
    good run (stalls, kills), so its difference is reported next to the ratio.
    ``reduce`` turns the repetitions of a block into one value: their mean, or the median for
    latency percentiles and maxima.
    ``plain`` is the name in plain words; empty: ``name``.
    ``request`` is what a campaign must ask for to record it (``--trace-queue`` and so on); None:
    always recorded. Events of every page cost CPU time, and not the same on every kernel.
    ``any_of`` are keys of ``needs.vmstat`` of which one is enough: no kernel has all.
    ``source`` is the document or kernel file behind the definition.
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
        """Whether it is recorded only on request, because recording it is expensive."""
        return self.request is not None


@dataclass(frozen=True)
class Catalogue:
    """Every metric of the suite by name, and those that decide."""

    metrics: Mapping[str, Metric]
    primaries: tuple[str, ...]

    def needs(self, *, recorded_by_default: bool = False) -> Needs:
        """The needs of all metrics, or only of those that every campaign records."""
        return Needs.union(
            metric.needs for metric in self.metrics.values() if not (recorded_by_default and metric.heavy)
        )
