"""``python -m android_tests restore``: undo what a killed run left on a phone."""

from __future__ import annotations

import argparse

from harness.device.attach import attach_phone
from harness.device.fastboot.opening import FlashOptions, pending_kernels
from harness.device.lab import find_lab
from harness.device.preconditions.pinned import left_behind, undo_left


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command; those that choose the device are common to all commands."""
    parser.add_argument("--dry-run", action="store_true", help="print what would be restored, and stop")


def run(args: argparse.Namespace) -> int:
    """Restore the phone and print what was restored; returns 0. SuiteError for what could not be."""
    lab = find_lab(args.lab)
    server, device = attach_phone(
        serial=args.serial, adb_port=args.adb_port, su=args.su, role=args.role, lab=lab
    )
    flash = FlashOptions(allowed=args.allow_flash, serial=args.fastboot_serial)
    try:
        # A dry run needs no permission.
        if args.dry_run:
            lines = [f"{note.pin.name}: would be {note.before}" for note in left_behind(device.serial)]
            kernels = pending_kernels(device, flash, None)
            lines += kernels.by_hand() if kernels is not None else []
        else:
            lines = undo_left(device)
            kernels = pending_kernels(device, flash, lab)
            if kernels is not None:
                kernels.put_back()
                lines.append(f"kernel: {kernels.original}")
    finally:
        server.stop()
    for line in lines or ["nothing was left behind"]:
        print(f"[{device.serial}] {line}")
    return 0
