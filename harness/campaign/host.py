"""What a block needs from the host: programs for the device, and the assembly of a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.contract.arch import Arch
from harness.capture import CaptureReport, RawCapture, assemble
from harness.native.build import binary
from workloads.switches import Switch


@dataclass(frozen=True)
class Host:
    """The real host by default; that of a dry run builds nothing and reads no trace.

    ``program`` finds or builds a native program (see `harness.native.build.binary`); ``assemble`` turns
    a recording into a trace.
    """

    program: Callable[[str, Arch], Path] = binary
    assemble: Callable[[RawCapture, Sequence[Switch], Path], CaptureReport] = assemble
