"""``python -m android_tests.virtual prepare|boot``: build the virtual device, or boot one."""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path
from typing import Final

from foundation.arguments import OneLineParser, exit_status_of
from foundation.signals import sigterm_as_interrupt
from harness.device.adb.own_adb import own_adb
from harness.variants.kind import Bindings
from harness.variants.variant import parse_variant
from harness.virtual.base import BASES, DEFAULT_BASE, debian_arch, parse_base
from harness.virtual.command_line import find_qemu
from harness.virtual.initramfs import build_initramfs
from harness.virtual.kernels import prepare, stock_bundle
from harness.virtual.lane import VirtualLane
from harness.virtual.userland import userland

_BASE_HELP: Final = f"kernel series, architecture, page size: {', '.join(map(str, BASES))}"

_say: Final = functools.partial(print, flush=True)


def _prepare(args: argparse.Namespace) -> int:
    bases = args.base or [DEFAULT_BASE]
    for base in bases:
        find_qemu(base.arch)
    for base in bases:
        prepare(base, _say)
        _say(f"{base}: Debian's kernel {stock_bundle(base).release}")
    for arch in dict.fromkeys(base.arch for base in bases):
        size_kb = userland(arch, _say).size_bytes // 1024
        _say(f"the guest's programs for {debian_arch(arch)}: {size_kb} kB")
    for base in bases:
        size_kb = build_initramfs(stock_bundle(base)).stat().st_size // 1024
        _say(f"{base}: initramfs {size_kb} kB")
    return 0


def _boot(args: argparse.Namespace) -> int:
    kind = args.variant.partition(":")[0]
    variant = parse_variant(
        f"{kind}={args.variant}", device_kind="virtual", bindings=Bindings(base=args.base)
    )
    # By the host's clock: adb's packets arrive when the host sends them.
    lane = VirtualLane(
        cpus=args.cpus,
        memory_mb=args.memory_mb,
        workdir=args.workdir,
        base=args.base,
        clock="host",
        accel=args.accel,
    )
    with sigterm_as_interrupt():
        try:
            device, _ = variant.boot(lane)
            _say(f"{device.serial} is up after {lane.boot_s():.1f} s; Ctrl-C ends it")
            _say(f"in another terminal: {own_adb('shell', serial=device.serial)}")
            while lane.is_running():
                time.sleep(0.5)
            lane.check_alive()
            _say("the device has powered itself off")
            return 0
        except KeyboardInterrupt:
            return 0
        finally:
            lane.close()


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for bad usage, 1 for a failure."""
    parser = OneLineParser(prog="python -m android_tests.virtual", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="prepare|boot")
    preparing = commands.add_parser("prepare", help="download and build what the virtual device needs")
    preparing.add_argument(
        "--base",
        action="append",
        type=parse_base,
        metavar="BASE",
        help=f"{_BASE_HELP}; may be repeated (default: {DEFAULT_BASE})",
    )
    boot = commands.add_parser(
        "boot",
        help="boot a virtual device for adb, by the host's clock, and wait for Ctrl-C",
        description="Boot a virtual device by the host's clock, print its adb address, wait for Ctrl-C.",
    )
    boot.add_argument(
        "--variant", default="stock", metavar="KIND[:KEY=VALUE,...]", help="its kernel (default: stock)"
    )
    boot.add_argument(
        "--base",
        type=parse_base,
        default=DEFAULT_BASE,
        metavar="BASE",
        help=f"{_BASE_HELP} (default: {DEFAULT_BASE})",
    )
    boot.add_argument("--cpus", type=int, default=2, metavar="N", help="default: 2")
    boot.add_argument("--memory-mb", type=int, default=256, metavar="MB", help="default: 256")
    boot.add_argument("--workdir", type=Path, help="folder for the console logs")
    boot.add_argument(
        "--accel", choices=("auto", "kvm", "tcg"), help="default: KVM if a boot with it comes up, else TCG"
    )

    def run() -> int:
        args = parser.parse_args(argv)
        return _prepare(args) if args.command == "prepare" else _boot(args)

    return exit_status_of(run)
