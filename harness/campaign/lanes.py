"""From the command line to a lane: a virtual device, or the phone on the desk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UsageError

if TYPE_CHECKING:
    from foundation.contract.device import Lane
    from harness.campaign.plan import Plan
    from harness.device.fastboot.opening import FlashOptions
    from harness.variants.kind import Bindings
    from harness.variants.variant import Variant


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
    known_good: str | None = None
    fastboot_serial: str | None = None
    boot_deadline_s: float | None = None
    cpus: int = 2
    memory_mb: int = 256
    kernel: Path | None = None
    modules: Path | None = None

    def flash_options(self) -> FlashOptions:
        """What is said about kernels on a phone."""
        from harness.device.fastboot.opening import FlashOptions
        from harness.device.fastboot.phone_kernels import BOOT_DEADLINE_S

        return FlashOptions(
            allowed=self.allow_flash,
            known_good=self.known_good,
            serial=self.fastboot_serial,
            boot_deadline_s=self.boot_deadline_s or BOOT_DEADLINE_S,
        )


def check_lane(settings: LaneSettings, variants: Sequence[Variant]) -> None:
    """What can be known to be wrong before anything is opened, built or booted. UsageError."""
    if settings.adb_port is not None and not 1 <= settings.adb_port <= 65535:
        raise UsageError(
            f"{settings.adb_port} is not a port", next_step="give the port of the adb server, 1 to 65535"
        )
    if settings.device_kind != "virtual":
        from harness.device.fastboot.opening import check_kernels
        from harness.variants.variant import kernels_of

        check_kernels(kernels_of(variants), settings.flash_options())
    else:
        from harness.virtual.lane import check_sizes

        check_sizes(settings.cpus, settings.memory_mb)
    for variant in variants:
        variant.check()


def bindings_of(settings: LaneSettings) -> Bindings:
    """What the lane has that a kind of variant may need. UsageError."""
    from harness.variants.kind import Bindings

    if (settings.kernel is None) != (settings.modules is None):
        raise UsageError("--virtual-kernel and --virtual-modules go together", next_step="give both")
    own = (settings.kernel, settings.modules) if settings.kernel and settings.modules else None
    return Bindings(kernel=own)


def open_lane(settings: LaneSettings, plan: Plan, write: Callable[[str], None] = print) -> Lane:
    """Open the lane; nothing boots yet, but kernels that are not built are built now.

    ``write`` takes the lines of that, and of images that are written. UsageError, LabError, HostError.
    """
    if settings.device_kind == "virtual":
        from harness.virtual.lane import VirtualLane

        lane = VirtualLane(
            name=plan.lanes[0],
            cpus=settings.cpus,
            memory_mb=settings.memory_mb,
        )
        for variant in plan.variants:
            variant.kind.prepare(write)
        return lane
    from harness.device.lab import find_lab
    from harness.device.lane_phone import open_phone
    from harness.variants.variant import kernels_of

    return open_phone(
        plan.lanes[0],
        serial=settings.serial,
        adb_port=settings.adb_port,
        su=settings.su,
        reboot_between=settings.reboot_between,
        role=settings.role,
        lab=find_lab(settings.lab),
        kernels=kernels_of(plan.variants),
        flash=settings.flash_options(),
        say=lambda text: write(f"           {text}"),
    )
