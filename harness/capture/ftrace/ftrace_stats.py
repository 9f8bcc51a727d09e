"""What the kernel says about each CPU's trace buffer: how much it holds, how much it lost."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class CpuStats:
    """``per_cpu/cpuN/stats``. Counts are records since the buffer was cleared; times are s."""

    cpu: int
    entries: int
    overrun: int
    commit_overrun: int
    bytes: int
    oldest_event_s: float
    now_s: float
    dropped_events: int
    read_events: int


def parse_stats(cpu: int, text: str) -> CpuStats:
    """Read a ``stats`` file; a line that this kernel does not have counts as 0."""
    values = dict(re.findall(r"^([a-z ]+): +([0-9.]+)$", text, re.MULTILINE))
    return CpuStats(
        cpu=cpu,
        entries=int(values.get("entries", 0)),
        overrun=int(values.get("overrun", 0)),
        commit_overrun=int(values.get("commit overrun", 0)),
        bytes=int(values.get("bytes", 0)),
        oldest_event_s=float(values.get("oldest event ts", 0)),
        now_s=float(values.get("now ts", 0)),
        dropped_events=int(values.get("dropped events", 0)),
        read_events=int(values.get("read events", 0)),
    )


def stats_to_json(stats: Sequence[CpuStats]) -> str:
    """All CPUs as JSON, for `stats_from_json`."""
    return json.dumps([asdict(cpu) for cpu in stats])


def stats_from_json(text: str) -> list[CpuStats]:
    """What `stats_to_json` wrote."""
    return [CpuStats(**row) for row in json.loads(text)]
