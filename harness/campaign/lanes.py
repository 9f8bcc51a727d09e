"""From the settings to a lane: a virtual device or a phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundation.progress import Progress

if TYPE_CHECKING:
    from foundation.contract.device import Lane
    from harness.campaign.plan import Plan
    from harness.campaign.settings import Settings
    from harness.device.fastboot.opening import FlashOptions
    from harness.variants.variant import Variant


def flash_options(settings: Settings) -> FlashOptions:
    """The settings for booting and flashing kernels on a phone."""
    from harness.device.fastboot.opening import FlashOptions

    return FlashOptions(
        allowed=settings.allow_flash,
        known_good=settings.known_good,
        serial=settings.fastboot_serial,
        boot_deadline_s=settings.boot_deadline_s,
    )


def check_lane(settings: Settings, variants: Sequence[Variant]) -> None:
    """Check everything that needs no device, before anything is built or booted. UsageError."""
    if settings.device != "virtual":
        from harness.device.fastboot.opening import check_kernels
        from harness.variants.variant import kernels_of

        check_kernels(kernels_of(variants), flash_options(settings))
    for variant in variants:
        variant.check()


def open_lane(settings: Settings, plan: Plan, write: Progress = print) -> Lane:
    """Open the lane without booting it; builds the kernels that the cache lacks.

    ``write`` receives progress lines of builds and flashing. UsageError, LabError, HostError.
    """
    if settings.device == "virtual":
        from harness.virtual.lane import VirtualLane

        lane = VirtualLane(
            name=plan.lanes[0],
            cpus=settings.cpus,
            memory_mb=settings.virtual_memory_mb,
            base=settings.base,
            clock=settings.virtual_clock,
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
        flash=flash_options(settings),
        say=lambda text: write(f"           {text}"),
    )
