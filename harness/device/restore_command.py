"""``python -m android_tests restore``: undo what a killed run left on a phone."""

from __future__ import annotations

import argparse

from harness.device.attach import attach_phone
from harness.device.fastboot.opening import FlashOptions, pending_commands, pending_kernels
from harness.device.lab import find_lab
from harness.device.preconditions import left_behind, undo_left


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this command alone; the device is chosen by those of every command."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be put back, and stop")


def run(args: argparse.Namespace) -> int:
    """Put it back and say what; 0. SuiteError for what is in the way or could not be put back."""
    lab = find_lab(args.lab)
    server, device = attach_phone(
        serial=args.serial, adb_port=args.adb_port, su=args.su, role=args.role, lab=lab
    )
    # To say what would be done needs no permission.
    flash = FlashOptions(allowed=args.allow_flash, serial=args.fastboot_serial)
    try:
        if args.dry_run:
            lines = [f"{note.pin.name}: would be {note.before}" for note in left_behind(device.serial)]
            lines += pending_commands(device, flash)
        else:
            lines = undo_left(device)
            kernels = pending_kernels(device, flash, lab)
            if kernels is not None:
                kernels.put_back()
                lines.append(f"kernel: {kernels.found}")
    finally:
        server.stop()
    for line in lines or ["nothing was left behind"]:
        print(f"[{device.serial}] {line}")
    return 0
