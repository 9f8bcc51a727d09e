"""``python -m android_tests doctor``: what this device can measure, on one page."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from foundation.contract.device import Device
from foundation.contract.metric import Catalogue
from harness.device.adb.adb_device import AdbDevice
from harness.device.attach import attach_phone
from harness.device.lab import find_lab
from harness.device.preconditions.pinned import left_behind
from harness.doctor.facts import DeviceFacts
from harness.doctor.measurable import Finding, findings, usable
from harness.doctor.next_steps import next_steps, write_profile
from harness.doctor.page import page
from harness.doctor.reading import read_facts

#: Exit status of a device on which nothing can be measured.
NOTHING = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this command alone; the phone is chosen by those of every command."""
    parser.add_argument("--device", choices=("phone", "virtual"), default="phone", help="what to look at")
    parser.add_argument("--json", action="store_true", help="print all that was read, for a program")
    parser.add_argument(
        "--write-profile", type=Path, metavar="FILE", help="write a profile of the memory eater that fits"
    )


def run(args: argparse.Namespace, catalogue: Catalogue) -> int:
    """Print the page for the metrics of ``catalogue``; 0 if anything can be measured, else `NOTHING`.

    SuiteError for what is in the way.
    """
    facts, found = (
        examine_virtual(catalogue) if args.device == "virtual" else _examine_phone(args, catalogue)
    )
    if args.write_profile is not None:
        write_profile(facts, args.write_profile)
    left = (
        [] if facts.emulated else [note.pin.name for note in left_behind(facts.serial) if not note.is_held]
    )
    steps = next_steps(facts, found, _connection(args, facts), args.write_profile)
    if args.json:
        print(json.dumps(to_json(facts, found, left, steps), indent=2, sort_keys=True))
    else:
        print(page(facts, found, left, steps, catalogue))
    return 0 if usable(found) else NOTHING


def examine(
    device: Device, catalogue: Catalogue, *, unprivileged: Device | None = None
) -> tuple[DeviceFacts, list[Finding]]:
    """Read the device and judge every metric of ``catalogue``; changes nothing."""
    events = catalogue.needs().ftrace_events
    facts = read_facts(device, events, unprivileged=unprivileged)
    return facts, findings(facts, catalogue.metrics.values())


def examine_virtual(catalogue: Catalogue) -> tuple[DeviceFacts, list[Finding]]:
    """Boot the stock virtual device, look at it, and end it."""
    from harness.variants.variant import parse_variant
    from harness.virtual.lane import VirtualLane

    with contextlib.closing(VirtualLane()) as lane:
        stock = parse_variant("stock=stock", device_kind="virtual")
        return examine(stock.boot(lane).device, catalogue)


def to_json(
    facts: DeviceFacts, found: list[Finding], left: list[str], steps: list[str]
) -> dict[str, object]:
    """``facts``, ``metrics`` (name to ok and why), ``usable``, ``left_behind`` and ``next``."""
    plain = asdict(facts)
    plain["vmstat"] = sorted(facts.vmstat) if facts.vmstat is not None else None
    return {
        "facts": plain,
        "metrics": {one.metric: {"ok": one.ok, "why": list(one.missing)} for one in found},
        "usable": usable(found),
        "left_behind": left,
        "next": steps,
    }


def _examine_phone(args: argparse.Namespace, catalogue: Catalogue) -> tuple[DeviceFacts, list[Finding]]:
    with attached(args) as (device, plain):
        return examine(device, catalogue, unprivileged=plain)


@contextlib.contextmanager
def attached(args: argparse.Namespace) -> Iterator[tuple[AdbDevice, AdbDevice | None]]:
    """The phone of the options, and the same one without su if they ask for su."""
    server, device = attach_phone(
        serial=args.serial, adb_port=args.adb_port, su=args.su, role=args.role, lab=find_lab(args.lab)
    )
    try:
        yield device, AdbDevice(server, device.serial) if args.su else None
    finally:
        server.stop()


def _connection(args: argparse.Namespace, facts: DeviceFacts) -> list[str]:
    port = ["--adb-port", str(args.adb_port)] if args.adb_port is not None else []
    return ["--serial", facts.serial, *port, *(["--su"] if args.su else [])]
