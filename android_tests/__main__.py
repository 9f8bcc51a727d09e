"""``python -m android_tests doctor|restore``: look at a device, or undo what a killed run left on it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.metrics import catalogue
from foundation.arguments import OneLineParser, exit_status_of
from harness.device import restore_command
from harness.doctor import command as doctor


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m android_tests", description=__doc__)
    device = OneLineParser(add_help=False)
    device.add_argument("--serial", help="which phone, if several are attached")
    device.add_argument("--adb-port", type=int, help="port of the adb server that holds the phone")
    device.add_argument("--lab", type=Path, metavar="FILE", help="the lab file (default: ./lab.toml)")
    device.add_argument("--role", help="the attached phone that has this role in the lab file")
    commands = parser.add_subparsers(dest="command", required=True, metavar="doctor|restore")
    sub = commands.add_parser(
        "doctor", help="what this device can measure, and what to type next", parents=[device]
    )
    doctor.add_arguments(sub)
    sub.set_defaults(run=lambda args: doctor.run(args, catalogue()))
    sub = commands.add_parser(
        "restore", help="undo the settings that a killed run left on a phone", parents=[device]
    )
    restore_command.add_arguments(sub)
    sub.set_defaults(run=restore_command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 for a wrong request, 1 for what is in the way, 3 for no use."""
    args = _parser().parse_args(argv)
    return exit_status_of(lambda: args.run(args))


if __name__ == "__main__":
    sys.exit(main())
