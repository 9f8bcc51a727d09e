"""``python -m android_tests doctor|restore``: look at a device, or undo what a killed run left on it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from android_tests.device import restore_command
from android_tests.doctor import command as doctor
from foundation.arguments import OneLineParser
from foundation.errors import SuiteError, UsageError


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m android_tests", description=__doc__)
    device = OneLineParser(add_help=False)
    device.add_argument("--serial", help="which phone, if several are attached")
    device.add_argument("--adb-port", type=int, help="port of the adb server that holds the phone")
    device.add_argument("--lab", type=Path, metavar="FILE", help="the lab file (default: ./lab.toml)")
    device.add_argument("--role", help="the attached phone that has this role in the lab file")
    commands = parser.add_subparsers(dest="command", required=True, metavar="doctor|restore")
    for name, module, summary in (
        ("doctor", doctor, "what this device can measure and what not, and what to type next"),
        ("restore", restore_command, "undo the settings that a killed run left on a phone"),
    ):
        sub = commands.add_parser(name, help=summary, parents=[device])
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 for a wrong request, 1 for what is in the way, 3 for no use."""
    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args)
        return status
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
