"""From the settings to lanes: virtual devices or a phone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.contract.zram_identity import ZramIdentity, advice, objection
from foundation.errors import UsageError
from foundation.progress import Progress

if TYPE_CHECKING:
    from foundation.contract.device import Lane
    from harness.campaign.plan import Plan
    from harness.campaign.settings import Settings
    from harness.device.fastboot.opening import FlashOptions
    from harness.variants.variant import Variant
    from harness.virtual.lane import VirtualLane


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
        from harness.device.lane_phone import check_restarts
        from harness.variants.variant import kernels_of

        kernels = kernels_of(variants)
        if settings.serial is not None:
            check_restarts(settings.serial, reboot_between=settings.reboot_between, kernels=kernels)
        check_kernels(kernels, flash_options(settings))
    for variant in variants:
        variant.check()


#: Host memory of a virtual device beyond its own: the emulator, its translated code, a trace being read.
_BESIDES_MB: Final = 512


def side_by_side(settings: Settings) -> int:
    """How many blocks run at once: `Settings.virtual_parallel`, or what CPUs and free memory allow.

    Only where the host's load does not show in the device's figures; elsewhere 1. UsageError for more.
    """
    alone = settings.device != "virtual" or settings.virtual_clock == "host"
    wanted = settings.virtual_parallel
    if alone and wanted is not None and wanted > 1:
        raise UsageError(
            f"--virtual-parallel {wanted}: by the host's clock blocks that run at once disturb each other",
            next_step="leave it out, or use --virtual-clock instructions",
        )
    if alone or wanted is not None:
        return wanted or 1
    fit = _available_mb() // (settings.virtual_memory_mb + _BESIDES_MB)
    return max(1, min(len(os.sched_getaffinity(0)), fit))


def _available_mb() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:"))


def open_virtual_lanes(
    settings: Settings, plan: Plan, count: int, write: Progress = print
) -> list[VirtualLane]:
    """Open ``count`` virtual devices that are all alike, and have the name of the plan's only lane.

    Builds the kernels that the cache lacks, with progress lines to ``write``. UsageError, HostError.
    """
    from harness.virtual.lane import VirtualLane

    with contextlib.ExitStack() as undo:
        lanes = []
        for _ in range(count):
            lane = VirtualLane(
                name=plan.lanes[0],
                cpus=settings.cpus,
                memory_mb=settings.virtual_memory_mb,
                base=settings.base,
                clock=settings.virtual_clock,
            )
            undo.callback(lane.close)
            lanes.append(lane)
        for variant in plan.variants:
            variant.kind.prepare(write)
        undo.pop_all()
    return lanes


def open_lane(settings: Settings, plan: Plan, write: Progress = print) -> Lane:
    """Open the lane without booting it; builds the kernels that the cache lacks.

    ``write`` receives progress lines of builds and flashing. UsageError, LabError, HostError.
    """
    if settings.device == "virtual":
        return open_virtual_lanes(settings, plan, 1, write)[0]
    from harness.device.lab import find_lab
    from harness.device.lane_phone import open_phone
    from harness.variants.variant import exchange_modules, kernels_of

    lane = open_phone(
        plan.lanes[0],
        serial=settings.serial,
        adb_port=settings.adb_port,
        su=settings.su,
        reboot_between=settings.reboot_between,
        role=settings.role,
        lab=find_lab(settings.lab),
        kernels=kernels_of(plan.variants),
        flash=flash_options(settings),
        modules=exchange_modules(plan.variants),
        reset_backed_zram=plan.reset_backed_zram,
        say=lambda text: write(f"           {text}"),
    )
    try:
        if any(variant.kind.word == "boot" for variant in plan.variants[1:]):
            check_zram(plan, lane.zram())
    except BaseException:
        lane.close()
        raise
    return lane


def check_zram(plan: Plan, found: ZramIdentity) -> None:
    """Refuse kernels booted from memory whose patch ``found``, the phone's zram, cannot hold. UsageError.

    Before anything is booted: they bring no modules, so it will compress on both sides.
    """
    baseline, *others = plan.variant_records
    for variant in others:
        why = objection(baseline, variant, found, found) if variant.kind == "boot" else None
        if why is not None:
            raise UsageError(f"boot: brings no zram.ko, and {why}", next_step=advice(variant))
