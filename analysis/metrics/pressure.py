"""Pressure stall information (PSI): time lost to waiting for memory or CPU."""

from __future__ import annotations

from typing import Final

from analysis.trace.figure import Figure
from analysis.trace.recording import Recording
from foundation.contract import conventions as names
from foundation.contract.metric import TABLE_ONLY, Metric, Shown
from foundation.contract.needs import Needs

#: Metric -> (resource, line) of /proc/pressure.
LINES: Final = {
    "psi_memory_some_ms": ("memory", "some"),
    "psi_memory_full_ms": ("memory", "full"),
    "psi_cpu_some_ms": ("cpu", "some"),
}

_MEANING: Final = {
    "some": "time in which some task stalled on",
    "full": "time in which all non-idle tasks stalled at once on",
}

_RESOURCE: Final = {"memory": "memory", "cpu": "the CPU"}

_SHOWN: Final = {
    "psi_memory_some_ms": Shown(60, terminal=True, mail=True),
    "psi_cpu_some_ms": Shown(70, mail=True),
}

METRICS: Final = tuple(
    Metric(
        name=name,
        unit="ms",
        direction="lower",
        family="pressure",
        definition=f"{_MEANING[line]} {_RESOURCE[resource]}: total= at the end of the window minus at its"
        " start",
        source="/proc/pressure (Documentation/accounting/psi.rst)",
        needs=Needs(psi=frozenset({f"{resource}.{line}"})),
        threshold=0.10,
        count=True,
        shown=_SHOWN.get(name, TABLE_ONLY),
    )
    for name, (resource, line) in LINES.items()
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown if the kernel has no PSI."""
    return {name: _stalled(recording, *line) for name, line in LINES.items()}


def _stalled(recording: Recording, resource: str, line: str) -> Figure:
    total_us = recording.delta(names.psi_total_us(resource, line))
    return total_us if total_us.value is None else Figure(total_us.value / 1e3)
