"""``python -m android_tests adb``: the adb that comes with the suite, at the server that has the phone."""

from __future__ import annotations

import argparse
import subprocess

from foundation.errors import UsageError
from harness.device.adb.adb_server import adb_binary
from harness.device.attach import server_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command, which come before adb's own words."""
    parser.add_argument("--serial", "-s", help="serial number of the phone, or its address")
    parser.add_argument("--adb-port", "-P", type=int, metavar="N", help="port of its adb server")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="what adb is to do")


def run(args: argparse.Namespace) -> int:
    """Run adb and return its exit status; the terminal is adb's. SuiteError if no server has the phone."""
    if not args.words:
        raise UsageError("adb is to do nothing", next_step="such as: python -m android_tests adb devices")
    server = server_for(args.serial, args.adb_port)
    try:
        chosen = ["-s", args.serial] if args.serial is not None else []
        command = [str(adb_binary()), "-L", f"tcp:localhost:{server.port}", *chosen, *args.words]
        return subprocess.run(command, check=False).returncode
    finally:
        server.stop()
