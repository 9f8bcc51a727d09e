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

    ``value`` is None if it cannot be known, for the ``reason`` given. With a value, ``reason`` is a
    caution: what the reader must know before trusting it. ``engine`` is kind and version of the
    trace processor that computed it.
    """

    trace: Path
    metric: str
    value: float | None
    unit: str
    reason: str | None = None
    engine: str | None = None


def changed_since_recorded(trace: Path) -> tuple[str, ...]:
    """Reasons not to trust a trace of a results folder, from the record next to it.

    Empty if the hashes agree or there is no record. A flipped bit in a timestamp or a counter leaves a
    valid trace: only the hash shows it.
    """
    record = trace.with_name(REPETITION_FILE)
    try:
        recorded = json.loads(record.read_text(encoding="utf-8"))["trace"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        # Not in a results folder; reading the folder reports a damaged record.
        return ()
    if not trace.is_file() or cached_sha256_of(trace) == recorded:
        return ()
    return (f"the file is not the one that was recorded: its SHA-256 differs from {REPETITION_FILE}",)
