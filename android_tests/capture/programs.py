"""The native programs of the capture, built for the device's architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from android_tests.device.arch import Arch
from workloads.native.build import binary, build_c

_RECORDER_SOURCE: Final = Path(__file__).parent / "native" / "recorder.c"


def recorder_program(arch: Arch) -> Path:
    """Path of the recorder on the host; built at the first use."""
    return build_c("recorder", [_RECORDER_SOURCE], arch)


def poller_program(arch: Arch) -> Path:
    """Path of the counter poller on the host; built at the first use."""
    return binary("poller", arch)
