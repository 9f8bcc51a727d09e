"""The data of one recording before it becomes one trace."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.capture.probes import Placed
from harness.capture.samples import Sample

#: What `foundation.contract.conventions.CAPTURE_BACKEND` says.
BACKEND: Final = "perfetto"


@dataclass(frozen=True)
class RawCapture:
    """The data of one recording. Times are CLOCK_BOOTTIME ns.

    ``folder`` holds Perfetto's trace until `discard`;
    ``counters`` is the file with every line of the poller. ``missing_events`` were wanted but are
    not in this kernel; ``troubles`` are void reasons met while recording. ``probes`` were in the
    kernel, ``missing_probes`` has the reasons for the others; recording a call costs
    ``probe_cost_ns``.
    """

    serial: str
    folder: Path
    counters: Path
    start_ns: int
    stop_ns: int
    begin: Sample
    end: Sample
    between: tuple[Sample, ...]
    poller_period_ms: int
    events: tuple[str, ...]
    missing_events: tuple[str, ...]
    troubles: tuple[str, ...]
    probes: tuple[Placed, ...] = ()
    missing_probes: Mapping[str, str] = field(default_factory=dict)
    probe_cost_ns: float | None = None

    @property
    def window_ns(self) -> tuple[int, int]:
        """The measured window: after the begin sample, before the end sample."""
        return self.begin.t_end_boot_ns, self.end.t_boot_ns

    def discard(self) -> None:
        """Remove Perfetto's trace; the counters stay."""
        shutil.rmtree(self.folder, ignore_errors=True)
