"""``python -m android_tests doctor|survey|restore|adb``: examine, record, restore a device, or run adb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from analysis.metrics import catalogue
from foundation.arguments import OneLineParser, exit_status_of
from harness.campaign.options import add_options, check_device, given_at
from harness.campaign.settings import OPTIONS
from harness.device import adb_command, restore_command
from harness.doctor import command as doctor
from harness.survey import command as survey


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m android_tests", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="doctor|survey|restore|adb")
    sub = commands.add_parser("doctor", help="show what this device can measure, and what to type next")
    add_options(OPTIONS, sub, "doctor")
    doctor.add_arguments(sub)
    sub.set_defaults(run=_doctor)
    sub = commands.add_parser("survey", help="record what this phone is like, in a folder for a bug report")
    add_options(OPTIONS, sub, "survey")
    survey.add_arguments(sub)
    sub.set_defaults(run=lambda args: survey.run(args, catalogue()))
    sub = commands.add_parser("restore", help="undo the settings that a killed run left on a phone")
    add_options(OPTIONS, sub, "restore")
    restore_command.add_arguments(sub)
    sub.set_defaults(run=restore_command.run)
    sub = commands.add_parser("adb", help="run the adb that comes with the suite: adb --serial S root")
    adb_command.add_arguments(sub)
    sub.set_defaults(run=adb_command.run)
    return parser


def _doctor(args: argparse.Namespace) -> int:
    check_device(OPTIONS, given_at(OPTIONS, vars(args).get, "doctor"), args.device)
    return doctor.run(args, catalogue())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. 0: done; 1: an error; 2: bad usage; 3: the device can measure nothing."""

    def run() -> int:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        return status

    return exit_status_of(run)


if __name__ == "__main__":
    sys.exit(main())
