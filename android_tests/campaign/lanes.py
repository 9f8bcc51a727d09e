"""From the command line to a lane: a virtual device, or the phone on the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UsageError

if TYPE_CHECKING:
    from android_tests.campaign.plan import Plan
    from android_tests.device.protocol import Lane


@dataclass(frozen=True)
class LaneSettings:
    """Which device, what may be done to it, and how a virtual one is made.

    ``lab`` None looks for ./lab.toml.
    """

    device_kind: str
    serial: str | None = None
    adb_port: int | None = None
    lab: Path | None = None
    role: str | None = None
    su: bool = False
    reboot_between: bool = False
    allow_flash: bool = False
    cpus: int = 2
    memory_mb: int = 256
    kernel: Path | None = None
    modules: Path | None = None


def open_lane(settings: LaneSettings, plan: Plan, write: Callable[[str], None] = print) -> Lane:
    """Open the lane; nothing boots yet, but kernels that are not built are built now.

    ``write`` takes the lines of that. UsageError, LabError, HostError.
    """
    if settings.device_kind == "virtual":
        from android_tests.virtual.lane import VirtualLane

        if (settings.kernel is None) != (settings.modules is None):
            raise UsageError("--virtual-kernel and --virtual-modules go together", next_step="give both")
        kernel = (settings.kernel, settings.modules) if settings.kernel and settings.modules else None
        lane = VirtualLane(
            name=plan.lanes[0], cpus=settings.cpus, memory_mb=settings.memory_mb, kernel=kernel
        )
        lane.make_ready(plan.variants, write)
        return lane
    from android_tests.device.lab import find_lab
    from android_tests.device.lane_phone import open_phone

    return open_phone(
        plan.lanes[0],
        serial=settings.serial,
        adb_port=settings.adb_port,
        su=settings.su,
        reboot_between=settings.reboot_between,
        role=settings.role,
        lab=find_lab(settings.lab),
    )
