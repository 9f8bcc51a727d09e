"""A metric of one trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
