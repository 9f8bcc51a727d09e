"""A metric of one trace, as a command prints it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from foundation.contract.records import REPETITION_FILE
from foundation.files import cached_sha256_of


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


def changed_since_recorded(trace: Path) -> tuple[str, ...]:
    """What the record beside a trace of a results folder says against it; empty: nothing, or no record.

    A flipped bit in a timestamp or a counter is a valid trace: nothing but the hash shows it.
    """
    record = trace.with_name(REPETITION_FILE)
    try:
        recorded = json.loads(record.read_text(encoding="utf-8"))["trace"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        # Not in a results folder; a damaged record is found where the folder is read.
        return ()
    if not trace.is_file() or cached_sha256_of(trace) == recorded:
        return ()
    return (f"the file is not the one that was recorded: its SHA-256 differs from {REPETITION_FILE}",)
