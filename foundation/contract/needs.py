"""What must be recorded for a metric: the metrics state it, the capture follows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Request = Literal["queue", "reclaim", "faults"]


@dataclass(frozen=True, order=True)
class Probe:
    """A function of the kernel whose calls are recorded, at entry and at return.

    ``name`` becomes the events ``<name>_enter`` and ``<name>_exit`` (`foundation.contract.conventions`).
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
