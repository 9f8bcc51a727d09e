"""``python -m android_tests doctor``: one page on what a device can measure."""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from foundation.contract.device import Device
from foundation.contract.metric import Catalogue
from harness.device.adb.adb_device import AdbDevice
from harness.device.attach import attach_phone
from harness.device.lab import find_lab
from harness.device.preconditions.pinned import left_behind
from harness.doctor.effects import effects, scenarios
from harness.doctor.facts import DeviceFacts
from harness.doctor.measurable import Finding, findings, usable
from harness.doctor.next_steps import next_steps, write_profile
from harness.doctor.page import page
from harness.doctor.reading import read_facts
from harness.virtual.base import DEFAULT_BASE, NEWEST, Base, parse_base
from harness.virtual.command_line import CLOCKS, Clock

#: Exit status of a device on which nothing can be measured.
NOTHING = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this command has."""
    parser.add_argument(
        "--device", choices=("phone", "virtual"), default="phone", help="the kind of device to examine"
    )
    parser.add_argument("--json", action="store_true", help="print everything that was read, as JSON")
    parser.add_argument(
        "--write-profile",
        type=Path,
        metavar="FILE",
        help="write a memory eater profile that fits the device",
    )


def run(args: argparse.Namespace, catalogue: Catalogue) -> int:
    """Print the page for the metrics of ``catalogue``; 0 if anything can be measured, else `NOTHING`.

    Side effect: ``--write-profile`` writes a file. SuiteError.
    """
    if args.device == "virtual":
        base = parse_base(args.virtual_base or str(DEFAULT_BASE))
        facts, found = examine_virtual(catalogue, base, args.virtual_clock or CLOCKS[0])
    else:
        facts, found = _examine_phone(args, catalogue)
    if args.write_profile is not None:
        write_profile(facts, args.write_profile)
    left = (
        [] if facts.emulated else [note.pin.name for note in left_behind(facts.serial) if not note.is_held]
    )
    connection = _virtual(args) if facts.emulated else _connection(args, facts)
    steps = next_steps(facts, found, connection, args.write_profile)
    if args.json:
        print(json.dumps(to_json(facts, found, left, steps), indent=2, sort_keys=True))
    else:
        print(page(facts, found, left, steps, catalogue))
    return 0 if usable(found) else NOTHING


def examine(
    device: Device, catalogue: Catalogue, *, unprivileged: Device | None = None
) -> tuple[DeviceFacts, list[Finding]]:
    """Read the device and judge every metric of ``catalogue``."""
    events = catalogue.needs().ftrace_events
    facts = read_facts(device, events, unprivileged=unprivileged)
    return facts, findings(facts, catalogue.metrics.values())


def examine_virtual(catalogue: Catalogue, base: Base, clock: Clock) -> tuple[DeviceFacts, list[Finding]]:
    """Boot Debian's kernel of ``base`` on a virtual device, `examine` it, and shut it down.

    ``device`` of the facts' properties says which one it was. SuiteError.
    """
    from harness.variants.kind import Bindings
    from harness.variants.variant import parse_variant
    from harness.virtual.lane import VirtualLane

    with contextlib.closing(VirtualLane(base=base, clock=clock)) as lane:
        stock = parse_variant("stock=stock", device_kind="virtual", bindings=Bindings(base=base))
        facts, found = examine(stock.boot(lane).device, catalogue)
        described = lane.describe()
    named = f"{base}, clock {clock}, {described['cpus']} CPU{'s' * (described['cpus'] != '1')}"
    return replace(facts, properties={**facts.properties, "device": named}), found


def to_json(
    facts: DeviceFacts, found: list[Finding], left: list[str], steps: list[str]
) -> dict[str, object]:
    """The content of ``--json``.

    ``facts``, ``metrics`` by name, ``usable``, ``effects`` by topic, ``scenarios``, ``left_behind``,
    ``next``.
    """
    plain = asdict(facts)
    plain["vmstat"] = sorted(facts.vmstat) if facts.vmstat is not None else None
    return {
        "facts": plain,
        "metrics": {one.metric: {"ok": one.ok, "why": list(one.missing)} for one in found},
        "usable": usable(found),
        "effects": {effect.topic: effect.text for effect in effects(facts)},
        "scenarios": list(scenarios(facts)),
        "left_behind": left,
        "next": steps,
    }


def _examine_phone(args: argparse.Namespace, catalogue: Catalogue) -> tuple[DeviceFacts, list[Finding]]:
    server, device = attach_phone(
        serial=args.serial, adb_port=args.adb_port, su=args.su, role=args.role, lab=find_lab(args.lab)
    )
    try:
        unprivileged = AdbDevice(server, device.serial) if args.su else None
        return examine(device, catalogue, unprivileged=unprivileged)
    finally:
        server.stop()


def _connection(args: argparse.Namespace, facts: DeviceFacts) -> list[str]:
    port = ["--adb-port", str(args.adb_port)] if args.adb_port is not None else []
    return ["--serial", facts.serial, *port, *(["--su"] if args.su else [])]


def _virtual(args: argparse.Namespace) -> list[str]:
    base, clock = args.virtual_base, args.virtual_clock
    words = ["--virtual-base", base] if base is not None else []
    words += ["--virtual-clock", clock] if clock is not None else []
    if base is not None and parse_base(base).series == NEWEST:
        # No kernel of it can be built, and our thread is not written for it.
        words += ["--variant", "a=stock", "--variant", "b=stock"]
    return words
