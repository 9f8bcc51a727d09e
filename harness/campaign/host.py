"""What a block takes from the host: programs for a device, time, and the making of a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.contract.arch import Arch
from harness.capture import CaptureReport, RawCapture, assemble
from harness.native.build import binary
from workloads.switches import Switch


@dataclass(frozen=True)
class Host:
    """The real one by default; a dry run has one that builds nothing, waits for nothing and reads no trace.

    ``program`` finds or builds a native program (see `harness.native.build.binary`), ``assemble`` makes a
    trace of what was recorded.
    """

    program: Callable[[str, Arch], Path] = binary
    sleep: Callable[[float], None] = time.sleep
    assemble: Callable[[RawCapture, Sequence[Switch], Path], CaptureReport] = assemble
