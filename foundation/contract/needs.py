"""What must be recorded for a metric: the metrics state it, the capture follows it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Request = Literal["queue", "reclaim", "faults"]


@dataclass(frozen=True, order=True)
class Probe:
    """A function of the kernel whose calls are recorded, at entry and at return.

    ``name`` becomes the events ``<name>_enter`` and ``<name>_exit`` (`foundation.contract.conventions`).
    ``symbols`` are its names in different kernels: the first that exists is taken, also with a
    suffix that the compiler gives to its own copies (``.constprop.0``, ``.isra.0``).
    ``arguments`` are recorded at entry and ``result`` at return, in the kernel's syntax
    (Documentation/trace/kprobetrace.rst); ``own_arguments`` replace them for single symbols.
    Without ``everywhere`` only calls by reclaim and compression threads are recorded; the others
    cost time all the same.
    """

    name: str
    symbols: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    own_arguments: tuple[tuple[str, tuple[str, ...]], ...] = ()
    everywhere: bool = False


@dataclass(frozen=True)
class Needs:
    """What must be recorded to compute a metric.

    ``ftrace_events`` are ``group/name``; ``vmstat`` and ``meminfo`` are keys of those files
    (a key that the kernel lacks is recorded as absent, never as 0); ``psi`` holds
    ``resource.line`` such as ``memory.some``; ``switches`` are the app-switch slices;
    ``probes`` are calls of kernel functions, ``power_rails`` the energy of each rail, which few
    phones report.
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
        return Needs(**{name: value | vars(other)[name] for name, value in vars(self).items()})

    @staticmethod
    def union(needs: Iterable[Needs]) -> Needs:
        """All needs together; `Needs()` for none."""
        return functools.reduce(operator.or_, needs, Needs())
